// dashboards.mjs MODULES FOLDER SCRATCH: checks every dashboard of FOLDER against Grafana's own types
// (@grafana/schema in MODULES). A planted mistake has to be found first, so that a checker that sees
// nothing cannot pass.
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const [modules, folder, scratch] = process.argv.slice(2);
if (!scratch) throw new Error('usage: dashboards.mjs MODULES FOLDER SCRATCH');

const composable = '@grafana/schema/dist/esm/raw/composable';
const kinds = {
  stat: ['stat', 'Stat'],
  timeseries: ['timeseries', 'TimeSeries'],
  heatmap: ['heatmap', 'Heatmap'],
  bargauge: ['bargauge', 'BarGauge'],
};

// JSON has no enums, so an enum's values are taken as their texts; a panel may leave fields out.
const prelude = [
  "import type { Dashboard } from '@grafana/schema';",
  ...Object.entries(kinds).map(([type, [path, name]]) =>
    `import type { Options as ${type}_options } from '${composable}/${path}/panelcfg/x/${name}PanelCfg_types.gen';`),
  `import type { FieldConfig as timeseries_fields } from '${composable}/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';`,
  // Grafana publishes no type for a Prometheus query; these are the fields that its editor writes.
  "type prometheus_query = { refId: string; datasource: { type: 'prometheus'; uid: string }; expr: string;",
  "  legendFormat: string; format: 'time_series' | 'heatmap' | 'table'; editorMode: 'code' | 'builder';",
  '  instant: boolean; range: boolean };',
  'type as_json<T> = T extends string ? `${T}` : T extends number | boolean ? T',
  '  : T extends (infer U)[] ? as_json<U>[] : T extends object ? { [K in keyof T]: as_json<T[K]> } : T;',
  'type some_of<T> = T extends string ? `${T}` : T extends number | boolean ? T',
  '  : T extends (infer U)[] ? some_of<U>[] : T extends object ? { [K in keyof T]?: some_of<T[K]> } : T;',
];

function typed(board) {
  // In the type of a whole dashboard an annotation's query has only what all sources share.
  const whole = structuredClone(board);
  for (const annotation of whole.annotations.list) annotation.target = { refId: annotation.target.refId };
  const lines = [...prelude, `export const whole: as_json<Dashboard> = ${JSON.stringify(whole)};`];
  for (const panel of board.panels) {
    lines.push(`export const options_${panel.id}: some_of<${panel.type}_options> = ${JSON.stringify(panel.options)};`);
    if (panel.fieldConfig.defaults.custom)
      lines.push(`export const fields_${panel.id}: some_of<timeseries_fields> = ${JSON.stringify(panel.fieldConfig.defaults.custom)};`);
    for (const target of panel.targets)
      lines.push(`export const target_${panel.id}_${target.refId}: prometheus_query = ${JSON.stringify(target)};`);
  }
  return lines.join('\n') + '\n';
}

function complaints(boards) {
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  symlinkSync(modules, join(scratch, 'node_modules'));
  for (const [name, board] of Object.entries(boards)) writeFileSync(join(scratch, `${name}.ts`), typed(board));
  try {
    execFileSync('node', [join(modules, 'typescript/bin/tsc'), '--strict', '--noEmit', '--skipLibCheck',
      '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler',
      ...Object.keys(boards).map((name) => join(scratch, `${name}.ts`))], { encoding: 'utf8', timeout: 120000 });
    return '';
  } catch (failed) {
    return failed.stdout || String(failed);
  }
}

const boards = Object.fromEntries(readdirSync(folder).filter((f) => f.endsWith('.json'))
  .map((f) => [f.slice(0, -5).replaceAll('-', '_'), JSON.parse(readFileSync(join(folder, f), 'utf8'))]));
if (Object.keys(boards).length < 5) throw new Error(`expected 5 dashboards in ${folder}`);

const [first] = Object.values(boards);
const mistakes = {
  number: (b) => { b.schemaVersion = '39'; },
  place: (b) => { b.panels[0].gridPos.hh = 3; },
  mode: (b) => { b.panels[0].fieldConfig.defaults.thresholds.mode = 'absolut'; },
  option: (b) => { b.panels[0].options.colourMode = 'value'; },
  target: (b) => { b.panels[0].targets[0].legendFormatt = 'x'; },
};
const planted = Object.fromEntries(Object.entries(mistakes).map(([name, plant]) => {
  const board = structuredClone(first);
  plant(board);
  return [name, board];
}));
const found = complaints(planted);
for (const name of Object.keys(mistakes))
  if (!found.includes(`${name}.ts(`)) throw new Error(`the checker does not see the planted mistake "${name}":\n${found}`);

const wrong = complaints(boards);
rmSync(scratch, { recursive: true, force: true });
if (wrong) {
  console.error(wrong);
  process.exit(1);
}
console.log(`${Object.keys(boards).length} dashboards are of Grafana's types; ${Object.keys(mistakes).length} planted mistakes were found`);
