// Performance: one mark per arm, domain and seed.
draw("plot-performance", () => ({
  traces: data.performance.map((p, i) => ({
    type: "scatter", mode: "markers", name: plain(p.domain), x: p.values, y: p.arms.map(plain), customdata: p.seeds,
    marker: { size: 13, opacity: 0.85, color: COLORS[i % COLORS.length], symbol: SYMBOLS[i % SYMBOLS.length] },
    hovertemplate: "%{y} on " + plain(p.domain) + ", seed %{customdata}: %{x:.3f}<extra></extra>",
  })),
  shape: {
    xaxis: { range: [0, 1.02], title: { text: "mAP@0.5" } }, yaxis: { autorange: "reversed", automargin: true },
  },
}));
