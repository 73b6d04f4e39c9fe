// Performance: one mark per arm, domain and seed, with its interval over test images. A colour is an arm, a row a domain.
const scored = data.performance;
const trained = (p) => `${scored.arms[p.arm]} on ${scored.domains[p.domain]}, seed ${p.seed}`;
const colorOfArm = (arm) => COLORS[arm % COLORS.length];
const symbolOfArm = (arm) => SYMBOLS[arm % SYMBOLS.length];
const dashOfSeed = (seed) => DASHES[data.seeds.indexOf(seed) % DASHES.length];
const inSteps = (values) => values.map((v) => (v === null ? null : v / 1000));

draw("plot-performance", () => {
  const { arms, domains, points } = scored, rows = arms.length * data.seeds.length;
  // Within a domain's row: arm under arm, and within these seed under seed.
  const end = Math.min(1.02, 1.1 * Math.max(0.1, ...points.map((p) => p.high ?? p.value)));
  const place = (p) => p.domain + 0.7 * ((p.arm * data.seeds.length + data.seeds.indexOf(p.seed) + 0.5) / rows - 0.5);
  return {
    traces: arms.map((arm, i) => {
      const mine = points.filter((p) => p.arm === i);
      return {
        type: "scatter", mode: "markers", name: plain(arm), x: mine.map((p) => p.value), y: mine.map(place),
        customdata: mine.map((p) => plain(`${trained(p)}: ${p.value.toFixed(3)}`) + (p.low === null ? "" : ` [${p.low.toFixed(3)}, ${p.high.toFixed(3)}]`)),
        marker: { size: 10, color: colorOfArm(i), symbol: symbolOfArm(i) },
        error_x: {
          type: "data", symmetric: false, thickness: 2, width: 0, color: colorOfArm(i),
          array: mine.map((p) => (p.low === null ? 0 : p.high - p.value)), arrayminus: mine.map((p) => (p.low === null ? 0 : p.value - p.low)),
        },
        hovertemplate: "%{customdata}<extra></extra>",
      };
    }),
    shape: {
      xaxis: { range: [0, end], title: { text: "mAP@0.5" }, zeroline: false },
      yaxis: { tickvals: domains.map((_, i) => i), ticktext: domains.map(plain), range: [domains.length - 0.5, -0.5], automargin: true, zeroline: false, showgrid: false },
    },
  };
});
