'use strict';
// Draws a run from its JSON: the live page feeds it from /events, the report from a block in the
// file. Texts go in by textContent and attributes only, so nothing that a VM is called can be code.
const phase_names = ['waiting', 'beginning', 'receiving', 'queued', 'streaming', 'moving_config',
  'taking_over', 'claiming', 'cleaning', 'voiding', 'reverting'];
const bounds_ms = [0, 1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 900, 2000, 5000,
  10000, 30000];
const by_id = (id) => document.getElementById(id);
const ms = (s) => s == null ? '–' : (s * 1000).toFixed(s < 0.1 ? 2 : 1) + ' ms';
const span = (s) => s == null ? '–' : s < 90 ? s.toFixed(1) + ' s' : (s / 60).toFixed(1) + ' min';
const size = (b) => {
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB']) {
    if (b < 1024 || unit === 'TiB') return (b < 10 && unit !== 'B' ? b.toFixed(1) : b.toFixed(0)) + ' ' + unit;
    b /= 1024;
  }
};
function quantile(sorted, share) {
  return sorted.length ? sorted[Math.max(Math.ceil(share * sorted.length), 1) - 1] : null;
}
function element(tag, attributes = {}, ...children) {
  const made = tag.startsWith('svg:')
    ? document.createElementNS('http://www.w3.org/2000/svg', tag.slice(4)) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of children) made.append(child);
  return made;
}
function fill(id, ...children) { by_id(id).replaceChildren(...children); }
/// The same, but what stands in its place already is not touched: hundreds of rows take their time.
function fill_kept(id, wanted) {
  const parent = by_id(id);
  wanted.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] || null);
  });
  while (parent.children.length > wanted.length) parent.lastElementChild.remove();
}
function show(id, is_shown) { by_id(id).hidden = !is_shown; }

class run_view {
  constructor() { this.vms = new Map(); this.rows = new Map(); this.frame = { evacuations: [], nodes: [], now: 0 }; }

  take(update) {
    this.frame = update;
    const known = this.vms.size;
    for (const vm of update.vms) this.vms.set(vm.vm, vm); // Each is told whole.
    if (this.vms.size !== known) this.vms = new Map([...this.vms].sort(([a], [b]) => a - b));
  }

  ended() { return [...this.vms.values()].filter((vm) => vm.result); }
  pauses(figure = 'pause_s') {
    return this.ended().filter((vm) => vm.result === 'moved' && vm[figure] != null)
      .map((vm) => vm[figure]).sort((a, b) => a - b);
  }

  draw() {
    this.draw_sums();
    this.draw_lanes();
    this.draw_histogram();
    this.draw_failures();
    this.draw_table();
  }

  draw_sums() {
    const vms = [...this.vms.values()];
    const moved = vms.filter((vm) => vm.result === 'moved').length;
    const stayed = vms.filter((vm) => vm.result && vm.result !== 'moved').length;
    const moving = vms.filter((vm) => !vm.result && vm.phase !== 'waiting').length;
    const pauses = this.pauses();
    const running = this.frame.evacuations.filter((e) => e.state === 'running');
    const eta = running.map((e) => e.eta_s).filter((s) => s != null);
    const sum = (name, value, note, kind = '') => element('div', { class: 'sum ' + kind },
      element('b', { 'data-sum': name }, String(value)), element('span', {}, note));
    const last = this.frame.evacuations.at(-1);
    fill('sums',
      sum('moved', moved, 'of ' + vms.length + ' moved'),
      sum('moving', moving, 'moving'),
      sum('stayed', stayed, stayed ? 'did not move' : 'failed', stayed ? 'bad' : ''),
      sum('p50', ms(quantile(pauses, 0.5)), 'pause, median'),
      sum('p99', ms(quantile(pauses, 0.99)), 'pause, 99 of 100'),
      sum('max', ms(pauses.at(-1)), 'longest pause'),
      eta.length ? sum('eta', span(Math.max(...eta)), 'left, at ' + size(running[0].rate) + '/s so far')
        : sum('eta', last && last.ended ? span(last.ended - last.began) : '–',
          last && last.ended ? 'from begin to end' : 'left: no rate yet'));
    by_id('state').textContent = this.frame.evacuations.map((e) => e.node + ': ' +
      e.state.replaceAll('_', ' ')).join(', ') || (vms.length ? 'moving' : this.frame.comparison ? '' : 'nothing moves yet');
  }

  draw_lanes() {
    const all = [...this.vms.values()];
    const lane = (node) => {
      const here = all.filter((vm) => (vm.result === 'moved' ? vm.target : vm.source) === node.node);
      const from_here = all.filter((vm) => vm.source === node.node);
      const bytes = from_here.reduce((sum, vm) => sum + vm.memory, 0);
      const left = from_here.reduce((sum, vm) => sum + (vm.result ? 0 : vm.left), 0);
      const boxes = element('div', { class: 'boxes' });
      for (const vm of here) {
        const kind = vm.kind === 'stopped' ? 'stopped' : vm.result ? vm.result : vm.phase === 'waiting' ? 'waits' : 'moves';
        const done = vm.memory ? Math.round(100 * (1 - vm.left / vm.memory)) : 0;
        const box = element('span', { class: 'vm ' + kind, 'data-vm': vm.vm,
          title: 'VM ' + vm.vm + ' ' + vm.source + (vm.target ? ' → ' + vm.target : '') + ': ' + (vm.reason || vm.result || vm.phase) });
        if (kind === 'moves') {
          const bar = element('i');
          bar.style.width = done + '%';
          box.append(bar);
        }
        box.append(String(vm.vm));
        boxes.append(box);
      }
      const leaving = here.some((vm) => !vm.result);
      return element('section', { class: 'lane', 'data-node': node.node },
        element('h3', {}, node.node, element('small', {}, ' ' + node.vms + (node.vms === 1 ? ' VM' : ' VMs') +
          (leaving ? ', ' + size(left) + ' to go' : '') +
          (node.link === 'down' ? ', link down' : ''))),
        leaving && bytes ? element('progress', { max: bytes, value: bytes - left }) : '', boxes);
    };
    fill('lanes', ...this.frame.nodes.map(lane));
  }

  draw_histogram() {
    const pauses = this.pauses();
    show('pauses', pauses.length > 0);
    if (!pauses.length) return;
    const counts = bounds_ms.slice(1).map((to, i) =>
      pauses.filter((s) => s * 1000 > bounds_ms[i] && s * 1000 <= to).length);
    const last = counts.findLastIndex((n) => n > 0);
    const budget = this.ended().map((vm) => vm.budget_s).filter((s) => s != null).sort((a, b) => a - b)[0];
    const shown = Math.max(last + 1, budget ? bounds_ms.findIndex((b) => b > budget * 1000) : 0);
    const most = Math.max(...counts);
    const width = 720, height = 200, bottom = 34, top = 14, step = width / shown;
    const svg = element('svg:svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'pauses' });
    for (let i = 0; i < shown; ++i) {
      const tall = (height - top - bottom) * counts[i] / most;
      if (counts[i]) svg.append(
        element('svg:rect', { x: i * step + 2, y: height - bottom - tall, width: step - 4, height: tall,
          class: budget && bounds_ms[i] >= budget * 1000 ? 'bar bad' : 'bar' }),
        element('svg:text', { x: (i + 0.5) * step, y: height - bottom - tall - 3, class: 'mid' }, String(counts[i])));
      svg.append(element('svg:text', { x: (i + 1) * step, y: height - bottom + 14, class: i + 1 === shown ? 'end' : 'mid' },
        bounds_ms[i + 1] >= 1000 ? bounds_ms[i + 1] / 1000 + ' s' : String(bounds_ms[i + 1])));
    }
    svg.append(element('svg:line', { x1: 0, x2: width, y1: height - bottom, y2: height - bottom, class: 'axis' }),
      element('svg:text', { x: width, y: height - 4, class: 'end' }, 'up to so many ms'));
    if (budget) {
      const at = bounds_ms.findIndex((b) => b >= budget * 1000);
      const x = (at - 1 + (budget * 1000 - bounds_ms[at - 1]) / (bounds_ms[at] - bounds_ms[at - 1])) * step;
      svg.append(element('svg:line', { x1: x, x2: x, y1: 0, y2: height - bottom, class: 'budget' }),
        element('svg:text', { x: x - 4, y: 11, class: 'end budget' }, 'budget ' + ms(budget)));
    }
    fill('histogram', svg);
    by_id('pause_text').textContent = `p50 ${ms(quantile(pauses, 0.5))}, p99 ${ms(quantile(pauses, 0.99))}, ` +
      `longest ${ms(pauses.at(-1))}, of ${pauses.length} VMs`;
  }

  draw_failures() {
    const failed = this.ended().filter((vm) => vm.result !== 'moved');
    show('failures', failed.length > 0);
    fill('failure_list', ...failed.map((vm) => element('li', { 'data-failed': vm.vm },
      element('b', {}, 'VM ' + vm.vm + ' '), vm.result.replaceAll('_', ' ') + ': ' + vm.reason)));
  }

  /// A VM that is told of again is another object, so the row of an old one still holds.
  row_of(vm) {
    const known = this.rows.get(vm.vm);
    if (known && known.vm === vm) return known.row;
    const row = element('tr', { 'data-row': vm.vm },
      ...[vm.vm, vm.source, vm.target, (vm.result || vm.phase).replaceAll('_', ' '), ms(vm.pause_s),
        ms(vm.blackout_s), ms(vm.handover_s), vm.total_s == null ? '–' : span(vm.total_s),
        vm.bytes == null ? '–' : size(vm.bytes), vm.reason || ''].map((cell) => element('td', {}, String(cell))));
    if (known) known.row.replaceWith(row);
    this.rows.set(vm.vm, { vm, row });
    return row;
  }

  draw_table() {
    const wanted = by_id('search').value.trim().toLowerCase();
    const text = (vm) => [vm.vm, vm.source, vm.target, vm.policy, vm.result || vm.phase, vm.reason || ''].join(' ');
    const rows = [...this.vms.values()].filter((vm) => text(vm).toLowerCase().includes(wanted));
    fill_kept('rows', rows.map((vm) => this.row_of(vm)));
    show('vms_part', !this.frame.comparison || this.vms.size > 0);
    by_id('found').textContent = rows.length + ' of ' + this.vms.size;
  }
}

const view = new run_view();
by_id('search').addEventListener('input', () => view.draw_table());
