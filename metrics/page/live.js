// The live page: everything once, then what has changed, as the server tells it.
const token = location.search;
let drawing = false;
function draw_soon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; view.draw(); });
}
by_id('title').textContent = 'live';
let events = null;
function follow() {
  events = new EventSource('/events' + token);
  events.addEventListener('message', (event) => {
    const update = JSON.parse(event.data);
    document.body.dataset.updates = Number(document.body.dataset.updates || 0) + 1;
    view.take(update);
    draw_soon();
  });
  events.addEventListener('open', () => { by_id('link').textContent = ''; });
  events.addEventListener('error', () => {
    by_id('link').textContent = 'no connection to drover: it has ended, or cannot be reached';
  });
}
follow();
