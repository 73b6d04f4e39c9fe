// Training: one quantity of every epoch, and validation mAP with the epoch whose weights are kept.
function trainingTraces(name) {
  return data.training.map((t) => ({
    type: "scatter", mode: "lines+markers", x: t.epoch, y: t[name], connectgaps: true, name: plain(`${t.title}, seed ${t.seed}`), legendgroup: `${t.arm} ${t.seed}`,
    line: { color: COLORS[t.arm % COLORS.length], dash: DASHES[data.seeds.indexOf(t.seed) % DASHES.length] }, marker: { size: 5, symbol: symbolOfArm(t.arm) },
    hovertemplate: "epoch %{x}: %{y:.4g}<extra>" + plain(`${t.title}, seed ${t.seed}`) + "</extra>",
  }));
}
const epochAxis = { title: { text: "epoch" } };

const redrawTraining = draw("plot-loss", () => {
  const choice = byId("training-curve"), name = choice.value;
  return {
    traces: trainingTraces(name),
    shape: { xaxis: epochAxis, yaxis: { title: { text: choice.selectedOptions[0].textContent }, rangemode: "tozero" } },
  };
});
onChange(["training-curve"], redrawTraining);

draw("plot-val", () => {
  const stars = data.training.filter((t) => t.epoch.includes(t.best)).map((t) => ({
    type: "scatter", mode: "markers", x: [t.best], y: [t.val_map50[t.epoch.indexOf(t.best)]], showlegend: false, legendgroup: `${t.arm} ${t.seed}`,
    marker: { symbol: "star", size: 14, color: COLORS[t.arm % COLORS.length], line: { width: 1, color: cssColor("--ink") } },
    hovertemplate: "best: epoch %{x}, %{y:.4f}<extra>" + plain(`${t.title}, seed ${t.seed}: ${t.state}`) + "</extra>",
  }));
  return {
    traces: [...trainingTraces("val_map50"), ...stars],
    shape: { xaxis: epochAxis, yaxis: { title: { text: "validation mAP@0.5" }, rangemode: "tozero" } },
  };
});
