// The charts of the overview, drawn by uPlot from the beats of the last hour.
const KEPT = 1800;
const LINES = {
  rates: [
    ["processed", (beat) => beat.rates.applied, "good"],
    ["delivered", (beat) => beat.rates.posted, "working"],
    ["redelivered", (beat) => beat.rates.redelivered, "retrying"],
    ["dead", (beat) => beat.rates.dead, "dead"],
  ],
  waiting: [
    ["waiting", (beat) => beat.totals.inflight, "working"],
    ["delayed", (beat) => beat.totals.delayed, "waiting"],
    ["retrying", (beat) => beat.totals.retrying, "retrying"],
  ],
  seconds: [
    ["waiting", (beat) => beat.sampled.wait_p95, "waiting"],
    ["work", (beat) => beat.sampled.work_p95, "working"],
    ["oldest", (beat) => (beat.waiting_branches ? beat.oldest_seconds : null), "retrying"],
  ],
};

let beats = [];
let charts = [];

export function drawCharts() {
  const kept = document.getElementById("beats");
  if (!kept || !window.uPlot) return;
  beats = JSON.parse(kept.textContent);
  draw();
  document.addEventListener("theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => charts.forEach(({ chart, home }) => chart.setSize(size(home)))).observe(document.body);
}

export function addBeat(beat) {
  if (!charts.length || beat.at <= (beats.at(-1)?.at ?? 0)) return;
  beats.push(beat);
  if (beats.length > KEPT) beats.shift();
  for (const { chart, name } of charts) {
    chart.setData(columns(name));
    if (chart.cursor.idx === null || chart.cursor.idx === undefined) tellNewest(chart);
  }
}

function columns(name) {
  return [beats.map((beat) => beat.at), ...LINES[name].map(([, value]) => beats.map((beat) => value(beat) ?? null))];
}

// Where nobody points at a moment, the legend tells the newest.
function tellNewest(chart) {
  if (beats.length) chart.setLegend({ idx: beats.length - 1 });
}

function clock(moment) {
  return new Date(moment * 1000).toLocaleTimeString([], { hourCycle: "h23" });
}

function size(home) {
  return { width: Math.max(240, home.clientWidth), height: 190 };
}

// A colour as the theme has it, which a canvas can draw with; a share of it lets the ground through.
function colour(name, share = 100) {
  const probe = document.createElement("span");
  probe.style.color = `color-mix(in srgb, var(--${name}) ${share}%, transparent)`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// A number as people read it: of small ones the digits that say something.
function figure(value) {
  return value < 1 ? Number(value.toPrecision(3)) : Math.round(value * 1000) / 1000;
}

function draw() {
  for (const { chart } of charts) chart.destroy();
  charts = [...document.querySelectorAll("[data-chart]")].map((home) => {
    const name = home.dataset.chart;
    const axis = {
      stroke: colour("quiet"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { stroke: colour("line"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const times = { ...axis, values: (_, moments) => moments.map(clock), space: 70 };
    const series = LINES[name].map(([label, , tone], index) => ({
      label,
      value: (_, value) => (value === null ? "–" : figure(value)),
      stroke: colour(tone),
      width: 2,
      fill: index === 0 ? colour(tone, 13) : undefined,
      points: { show: beats.length < 3 },
    }));
    const options = {
      ...size(home),
      axes: [times, { ...axis, size: 60, values: (_, marks) => marks.map(figure) }],
      series: [{ label: "at", value: (_, moment) => (moment === null ? "–" : clock(moment)) }, ...series],
      hooks: { setCursor: [(chart) => chart.cursor.idx === null && tellNewest(chart)] },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
      cursor: { points: { size: 6 } },
    };
    const chart = new window.uPlot(options, columns(name), home);
    tellNewest(chart);
    return { chart, home, name };
  });
}
