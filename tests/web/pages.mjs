// pages.mjs MODULES DROVER SCENARIO SCRATCH: opens the live page in Chromium during a real run, sees VMs
// arrive, and the report after it; the numbers that the pages show are the result's. Screenshots stay
// in SCRATCH for whoever wants to look. Two simulated runs show what a short real one does not: VMs
// that a plan leaves where they are, and hundreds of VMs on one page.
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import assert from 'node:assert/strict';

const [modules, drover, scenario, scratch] = process.argv.slice(2);
if (!scratch) throw new Error('usage: pages.mjs MODULES DROVER SCENARIO SCRATCH');
const { chromium } = createRequire(modules + '/')('playwright-core');
rmSync(scratch, { recursive: true, force: true });
mkdirSync(scratch, { recursive: true });

const sizes = [[1280, 'light'], [1280, 'dark'], [390, 'light'], [390, 'dark']];
const wrong = [];
const requests = [];

async function open(browser, url, width, scheme) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
  page.on('console', (m) => m.type() === 'error' && !m.text().includes('ERR_') && wrong.push(`${url}: ${m.text()}`));
  page.on('pageerror', (e) => wrong.push(`${url}: ${e.message}`));
  page.on('request', (r) => requests.push(r.url()));
  await page.goto(url);
  return page;
}
async function look(page, name) {
  await page.screenshot({ path: join(scratch, name + '.png'), fullPage: true });
  const too_wide = await page.evaluate(() =>
    document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(too_wide, 0, `${name} is wider than its window`);
}
const text_of = (page, selector) => page.locator(selector).first().textContent();
const ms = (s) => (s * 1000).toFixed(s < 0.1 ? 2 : 1) + ' ms';

async function check_numbers(page, result, where) {
  const moved = result.migrations.filter((m) => m.result === 'moved');
  assert.equal(await text_of(page, '[data-sum=moved]'), String(result.moved), `${where}: moved`);
  assert.equal(await text_of(page, '[data-sum=stayed]'), String(result.stayed.length), `${where}: stayed`);
  for (const figure of ['p50', 'p99', 'max'])
    assert.equal(await text_of(page, `[data-sum=${figure}]`), ms(result.pause_s[figure]), `${where}: ${figure}`);
  assert.equal(await page.locator('#rows tr').count(), result.migrations.length, `${where}: rows`);
  for (const m of moved) {
    const cells = await page.locator(`[data-row="${m.vmid}"] td`).allTextContents();
    assert.deepEqual(cells.slice(0, 7),
      [String(m.vmid), m.source, m.target, 'moved', ms(m.pause_s), ms(m.blackout_s), ms(m.handover_s)],
      `${where}: VM ${m.vmid}`);
    assert.equal(await page.locator(`[data-node="${m.target}"] [data-vm="${m.vmid}"].moved`).count(), 1,
      `${where}: VM ${m.vmid} stands at its target`);
  }
}

class watched_run {
  constructor(...words) {
    this.child = spawn(drover, ['run', ...words, '-o', 'json', '--metrics', '127.0.0.1:0',
      '--metrics-linger', '10m'], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.out = this.err = '';
    this.child.stdout.on('data', (d) => { this.out += d; });
    this.child.stderr.on('data', (d) => { this.err += d; });
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }
  async until(what, condition, seconds = 120) {
    for (let i = 0; i < seconds * 20; ++i) {
      if (await condition()) return;
      await new Promise((next) => setTimeout(next, 50));
    }
    throw new Error(`waited ${seconds} s for ${what}\n${this.err}`);
  }
  async url() {
    await this.until('the address', () => /live page at (http:\S+)/.test(this.err));
    return this.err.match(/live page at (http:\S+)/)[1];
  }
  async result() {
    await this.until('the result', () => { try { JSON.parse(this.out); return true; } catch { return false; } });
    return JSON.parse(this.out);
  }
  async end() {
    this.child.kill('SIGINT');
    await this.ended;
  }
}

/// What does not move stands on the page with the reason that the result tells.
async function check_left_out(browser) {
  const run = new watched_run(join(dirname(scenario), 'no_room.json'), '--world', 'sim');
  try {
    const page = await open(browser, await run.url(), 390, 'dark');
    const result = await run.result();
    await run.until('the page', async () => await text_of(page, '[data-sum=stayed]').catch(() => '') ===
      String(result.stayed.length), 10);
    assert.equal(await page.locator('#failure_list li').count(), result.stayed.length, 'each VM that stays');
    for (const vm of result.stayed)
      assert.ok((await text_of(page, `[data-failed="${vm.vmid}"]`)).includes(vm.reason), `why VM ${vm.vmid} stays`);
    assert.ok((await text_of(page, '#state')).includes('infeasible'), 'the state of the evacuation');
    await look(page, 'live-left-out-390-dark');
    await page.close();
    return result.stayed.length;
  } finally {
    await run.end();
  }
}

/// The page with five hundred VMs: all are there, and drawing them leaves time for the reader.
async function check_many(browser) {
  const file = join(scratch, 'many.json');
  const nodes = Object.fromEntries(['n1', 'n2', 'n3', 'n4'].map((n) => [n, { memory: '16G' }]));
  writeFileSync(file, JSON.stringify({ why: 'Many VMs leave one node for three others.', deadline_s: 3600,
    cluster: { nodes }, vms: [{ first: 1000, count: 500, node: 'n1', memory: '4M' }],
    actions: [{ at_ms: 500, evacuate: 'n1' }], expect: { exit_code: 0, moved: 500 } }));
  const run = new watched_run(file, '--world', 'sim');
  try {
    const page = await open(browser, await run.url(), 1280, 'light');
    await run.until('500 VMs', async () => await text_of(page, '[data-sum=moved]').catch(() => '') === '500', 60);
    assert.equal(await page.locator('#rows tr').count(), 500);
    assert.equal(await page.locator('#lanes .vm.moved').count(), 500);
    const drawn_ms = await page.evaluate(() => {
      const times = [0, 1, 2, 3, 4].map(() => {
        const begin = performance.now();
        // As many as move at a time are told of in one update.
        [...view.vms.values()].slice(0, 32).forEach((vm) => view.vms.set(vm.vm, { ...vm }));
        view.draw();
        document.body.getBoundingClientRect();
        return performance.now() - begin;
      });
      return times.sort((a, b) => a - b)[2];
    });
    // Less than the time between two updates, on a machine that has other work, too.
    assert.ok(drawn_ms < 300, `one drawing takes ${drawn_ms} ms`);
    await look(page, 'live-500-1280-light');
    await page.close();
    return drawn_ms;
  } finally {
    await run.end();
  }
}

/// The scenario on a store that makes each VM wait, so few at a time that a page drawn on a busy
/// machine is open before the last one arrives.
function slow_scenario() {
  const slow = JSON.parse(readFileSync(scenario, 'utf8'));
  slow.cluster.store = { kind: 'lagging', lag: '400ms' };
  slow.cluster.limits.prepare = 4;
  const file = join(scratch, 'slow.json');
  writeFileSync(file, JSON.stringify(slow));
  return file;
}

const report = join(scratch, 'report');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const run = new watched_run(slow_scenario(), '--report', report);
try {
  const url = await run.url();
  const live = await open(browser, url, 1280, 'light');

  // While it runs: VMs that wait, move and have arrived, one after the other.
  const seen = new Set();
  let shot = false;
  await run.until('the end of the run', async () => {
    const moved = Number(await text_of(live, '[data-sum=moved]').catch(() => 0));
    seen.add(moved);
    if (moved > 0 && !shot) { shot = true; await look(live, 'live-running-1280-light'); }
    return run.err.includes('metrics stay at');
  }, 300);
  const result = await run.result();
  assert.equal(result.verdict, 'passed');
  const partly = [...seen].filter((n) => n > 0 && n < result.moved).length;
  assert.ok(partly >= 1, `VMs were seen to arrive one after the other: ${[...seen]}`);
  await run.until('the last update', async () => await text_of(live, '[data-sum=moved]') === String(result.moved), 10);
  await check_numbers(live, result, 'live page');
  for (const [width, scheme] of sizes) {
    const page = await open(browser, url, width, scheme);
    await run.until('the page', async () => await text_of(page, '[data-sum=moved]').catch(() => '') === String(result.moved), 10);
    await look(page, `live-${width}-${scheme}`);
    await page.close();
  }

  const api = JSON.parse(await (await fetch(url + 'api/evacuations')).text());
  assert.deepEqual(api.map((e) => [e.node, e.moved, e.state]), [['n1', result.moved, 'all_moved']]);
  const one = JSON.parse(await (await fetch(`${url}api/evacuations/${api[0].id}`)).text());
  assert.deepEqual(one.migrations.map((m) => [m.vm, m.pause_s]), result.migrations.map((m) => [m.vmid, m.pause_s]));

  const file = 'file://' + join(report, result.scenario + '.html');
  for (const [width, scheme] of sizes) {
    const page = await open(browser, file, width, scheme);
    await check_numbers(page, result, 'report');
    assert.equal(await page.locator('#gantt [data-bar]').count(), result.migrations.length, 'a bar for each VM');
    assert.equal(await page.locator('#segments [data-segments]').count(), result.moved, 'segments of each pause');
    assert.equal(await page.locator('#lag [data-dot]').count(), result.moved, 'a dot for each VM');
    await look(page, `report-${width}-${scheme}`);
    await page.locator('#search').fill('100');
    assert.equal(await page.locator('#rows tr').count(), 1, 'the search finds one VM');
    await page.close();
  }
  const paper = await open(browser, file, 1280, 'light');
  writeFileSync(join(scratch, 'report.pdf'), await paper.pdf({ format: 'A4' }));
  const lines = readFileSync(join(report, result.scenario + '.csv'), 'utf8').trim().split('\n');
  assert.equal(lines.length, result.migrations.length + 1, 'a line of CSV for each VM');

  const stayed = await check_left_out(browser);
  const drawn_ms = await check_many(browser);
  const foreign = requests.filter((r) => !/^http:\/\/127\.0\.0\.1:\d+\//.test(r) && !r.startsWith('file://' + scratch));
  assert.deepEqual(foreign, [], 'nothing is fetched from anywhere else');
  assert.deepEqual(wrong, [], 'the pages complain of nothing');
  console.log(`live page and report show the result: ${result.moved} VMs, arrivals seen at ${[...seen].sort((a, b) => a - b)}; ` +
    `${stayed} that stay are shown with their reasons; 500 VMs are drawn in ${drawn_ms.toFixed(0)} ms`);
} finally {
  await browser.close();
  await run.end();
}
