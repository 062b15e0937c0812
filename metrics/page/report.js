// The parts that only a finished run has: who moved when, whose part of the pause was how long, what
// the store had to do with it, the policies side by side.
const colour_of = (name) => 'p' + Math.max(phase_names.indexOf(name), 0);

function draw_gantt(run) {
  const vms = run.vms.filter((vm) => vm.phases.length);
  show('gantt_part', vms.length > 0);
  if (!vms.length) return;
  const begin = Math.min(...vms.map((vm) => vm.phases[0][1]));
  const end = Math.max(...vms.map((vm) => vm.ended || run.now));
  // A migration stands in the first lane of its target that is free when it leaves the queue.
  const lanes = [];
  const moving = (vm) => vm.phases.find(([name]) => name !== 'waiting')?.[1] ?? vm.phases[0][1];
  for (const vm of [...vms].sort((a, b) => a.target.localeCompare(b.target) || moving(a) - moving(b))) {
    let lane = lanes.find((l) => l.target === vm.target && l.free <= moving(vm));
    if (!lane) lanes.push(lane = { target: vm.target, vms: [], free: 0 });
    lane.vms.push(vm);
    lane.free = vm.ended || run.now;
  }
  const left = 70, width = 960, row = 18, height = lanes.length * row + 26;
  const x = (at) => left + (width - left - 8) * (at - begin) / Math.max(end - begin, 1e-6);
  const svg = element('svg:svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'phases' });
  lanes.forEach((lane, i) => {
    if (i === 0 || lanes[i - 1].target !== lane.target)
      svg.append(element('svg:text', { x: 0, y: i * row + 12 }, lane.target),
        element('svg:line', { x1: 0, x2: width, y1: i * row - 1, y2: i * row - 1, class: 'axis' }));
    for (const vm of lane.vms) {
      const group = element('svg:g', { 'data-bar': vm.vm });
      vm.phases.forEach(([name, at], k) => {
        const until = vm.phases[k + 1]?.[1] ?? vm.ended ?? run.now;
        if (name === 'waiting' || name === 'ended') return;
        group.append(element('svg:rect', { x: x(at), y: i * row + 1, height: row - 4,
          width: Math.max(x(until) - x(at), 0.7), class: colour_of(name) }));
      });
      group.append(element('svg:title', {}, `VM ${vm.vm} → ${vm.target}: ${vm.result || vm.phase}, ${span(vm.total_s)}`));
      svg.append(group);
    }
  });
  for (let i = 0; i <= 4; ++i) {
    const at = begin + (end - begin) * i / 4;
    svg.append(element('svg:text', { x: x(at), y: height - 6, class: i === 0 ? '' : i === 4 ? 'end' : 'mid' },
      span(at - begin)));
  }
  fill('gantt', svg);
  fill('legend', ...phase_names.slice(1).filter((name) => vms.some((vm) => vm.phases.some(([p]) => p === name)))
    .map((name) => element('span', { class: 'key' }, element('i', { class: colour_of(name) }), name.replaceAll('_', ' '))));
}

function draw_segments(run) {
  const vms = run.vms.filter((vm) => vm.pause_s != null).sort((a, b) => a.pause_s - b.pause_s);
  show('segments_part', vms.length > 0);
  if (!vms.length) return;
  const width = 720, height = 180, bottom = 18, most = vms.at(-1).pause_s, step = width / vms.length;
  const svg = element('svg:svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'segments' });
  const tall = (s) => (height - bottom - 14) * (s || 0) / most;
  vms.forEach((vm, i) => {
    const bar = { x: i * step, width: Math.max(step * 0.85, 0.5) };
    const black = tall(vm.blackout_s), hand = tall(vm.handover_s);
    svg.append(element('svg:g', { 'data-segments': vm.vm },
      element('svg:rect', { ...bar, y: height - bottom - black, height: black, class: 'blackout' }),
      element('svg:rect', { ...bar, y: height - bottom - black - hand, height: hand, class: 'handover' }),
      element('svg:title', {}, `VM ${vm.vm}: blackout ${ms(vm.blackout_s)}, handover ${ms(vm.handover_s)}`)));
  });
  svg.append(element('svg:text', { x: width, y: 11, class: 'end' }, 'longest ' + ms(most)),
    element('svg:text', { x: 0, y: height - 4 }, 'VMs, by the length of their pause'));
  fill('segments', svg);
}

function draw_lag(run) {
  const vms = run.vms.filter((vm) => vm.barrier_s != null && vm.handover_s != null);
  show('lag_part', vms.length > 0);
  if (!vms.length) return;
  const width = 720, height = 220, left = 60, bottom = 34;
  const most_x = Math.max(...vms.map((vm) => vm.barrier_s), 1e-4) * 1.05;
  const most_y = Math.max(...vms.map((vm) => vm.handover_s), 1e-4) * 1.05;
  const svg = element('svg:svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'lag' });
  const x = (s) => left + (width - left - 10) * s / most_x, y = (s) => 20 + (height - bottom - 20) * (1 - s / most_y);
  svg.append(element('svg:line', { x1: left, x2: width, y1: y(0), y2: y(0), class: 'axis' }),
    element('svg:line', { x1: left, x2: left, y1: 16, y2: y(0), class: 'axis' }),
    element('svg:text', { x: left - 4, y: y(most_y) + 4, class: 'end' }, ms(most_y)),
    element('svg:text', { x: left - 4, y: y(0), class: 'end' }, '0'),
    element('svg:text', { x: width, y: height - 18, class: 'end' }, ms(most_x)),
    element('svg:text', { x: width, y: height - 4, class: 'end' }, 'store lag seen at the barrier'),
    element('svg:text', { x: left - 4, y: 11, class: 'end' }, 'handover'));
  for (const vm of vms)
    svg.append(element('svg:circle', { cx: x(vm.barrier_s), cy: y(vm.handover_s), r: 3.5, class: 'dot', 'data-dot': vm.vm },
      element('svg:title', {}, `VM ${vm.vm}: lag ${ms(vm.barrier_s)}, handover ${ms(vm.handover_s)}`)));
  fill('lag', svg);
}

function draw_comparison(run) {
  const rows = run.comparison || [];
  show('comparison_part', rows.length > 0);
  const number = (value) => value == null ? '–' : value.toFixed(2);
  fill('comparison_rows', ...rows.map((r) => element('tr', { 'data-policy': r.policy, 'data-lag': r.lag_ms },
    ...[r.policy, r.lag_ms + ' ms', r.moved, r.races, r.stuck, number(r.pause_p50_ms), number(r.pause_p99_ms),
      number(r.pause_max_ms), r.store_operations_in_pauses, r.wrong ? 'failed' : 'passed']
      .map((cell) => element('td', {}, String(cell))))));
}

function draw_environment(run) {
  const facts = Object.entries(run.environment || {});
  show('environment_part', facts.length > 0);
  fill('environment', ...facts.flatMap(([name, value]) =>
    [element('dt', {}, name.replaceAll('_', ' ')), element('dd', {}, String(value))]));
}

const run = JSON.parse(by_id('run').textContent);
by_id('title').textContent = run.title;
document.title = 'drover: ' + run.title;
view.take(run);
view.draw();
show('overview', run.vms.length > 0);
draw_gantt(run);
draw_segments(run);
draw_lag(run);
draw_comparison(run);
draw_environment(run);
