// Activations: one statistic along the network.
const redrawStatistics = draw("plot-statistics", () => {
  const size = Number(byId("statistic-size").value), name = byId("statistic-name").value;
  return {
    traces: data.statistics.filter((s) => s.size === size).map((s) => ({
      type: "scatter", mode: "lines", x: LAYERS, y: s[name], name: plain(`${s.title}, seed ${s.seed}`), customdata: data.layers.map(plain),
      line: { color: COLORS[s.arm % COLORS.length], dash: DASHES[data.seeds.indexOf(s.seed) % DASHES.length], width: 1.8 },
      hovertemplate: "%{customdata}: %{y:.4g}<extra>" + plain(`${s.title}, seed ${s.seed}`) + "</extra>",
    })),
    shape: {
      ...networkMap(), yaxis: { domain: [0.1, 1], title: { text: `${name} of the layer's outputs` }, zeroline: false },
      xaxis: { range: [-1, LAYERS.length], title: { text: "layer" }, anchor: "free", position: 0, showgrid: false, zeroline: false },
    },
  };
});
onChange(["statistic-size", "statistic-name"], redrawStatistics);
