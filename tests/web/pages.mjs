// pages.mjs MODULES DROVER SCENARIO SCRATCH: opens the live page in Chromium during a real run, sees VMs
// arrive, and the report after it; the numbers that the pages show are the result's. Screenshots stay
// in SCRATCH for whoever wants to look.
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

const report = join(scratch, 'report');
const run = spawn(drover, ['run', scenario, '-o', 'json', '--metrics', '127.0.0.1:0',
  '--metrics-linger', '10m', '--report', report], { stdio: ['ignore', 'pipe', 'pipe'] });
let out = '', err = '';
run.stdout.on('data', (d) => { out += d; });
run.stderr.on('data', (d) => { err += d; });
const ended = new Promise((resolve) => run.on('close', resolve));
async function until(what, condition, seconds = 120) {
  for (let i = 0; i < seconds * 20; ++i) {
    if (await condition()) return;
    await new Promise((next) => setTimeout(next, 50));
  }
  throw new Error(`waited ${seconds} s for ${what}\n${err}`);
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
try {
  await until('the address', () => /live page at (http:\S+)/.test(err));
  const url = err.match(/live page at (http:\S+)/)[1];
  const live = await open(browser, url, 1280, 'light');

  // While it runs: VMs that wait, move and have arrived, one after the other.
  const seen = new Set();
  let shot = false;
  await until('the end of the run', async () => {
    const moved = Number(await text_of(live, '[data-sum=moved]').catch(() => 0));
    seen.add(moved);
    if (moved > 0 && !shot) { shot = true; await look(live, 'live-running-1280-light'); }
    return err.includes('metrics stay at');
  }, 300);
  await until('the result', () => { try { JSON.parse(out); return true; } catch { return false; } });
  const result = JSON.parse(out);
  assert.equal(result.verdict, 'passed');
  const partly = [...seen].filter((n) => n > 0 && n < result.moved).length;
  assert.ok(partly >= 1, `VMs were seen to arrive one after the other: ${[...seen]}`);
  await until('the last update', async () => await text_of(live, '[data-sum=moved]') === String(result.moved), 10);
  await check_numbers(live, result, 'live page');
  for (const [width, scheme] of sizes) {
    const page = await open(browser, url, width, scheme);
    await until('the page', async () => await text_of(page, '[data-sum=moved]').catch(() => '') === String(result.moved), 10);
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

  const foreign = requests.filter((r) => !r.startsWith(url) && !r.startsWith('file://' + scratch));
  assert.deepEqual(foreign, [], 'nothing is fetched from anywhere else');
  assert.deepEqual(wrong, [], 'the pages complain of nothing');
  console.log(`live page and report show the result: ${result.moved} VMs, arrivals seen at ${[...seen].sort((a, b) => a - b)}`);
} finally {
  await browser.close();
  run.kill('SIGINT');
  await ended;
}
