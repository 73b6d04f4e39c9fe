// Training: loss and validation mAP by epoch.
for (const [id, name, title] of [["plot-loss", "loss", "training loss"], ["plot-val", "val_map50", "validation mAP@0.5"]]) {
  draw(id, () => ({
    traces: data.training.map((t) => ({
      type: "scatter", mode: "lines+markers", x: t.epoch, y: t[name], connectgaps: true, name: plain(`${t.title}, seed ${t.seed}`),
      line: { color: COLORS[t.arm % COLORS.length], dash: DASHES[data.seeds.indexOf(t.seed) % DASHES.length] }, marker: { size: 5 },
      hovertemplate: "epoch %{x}: %{y:.4g}<extra>" + plain(`${t.title}, seed ${t.seed}`) + "</extra>",
    })),
    shape: { xaxis: { title: { text: "epoch" } }, yaxis: { title: { text: title }, rangemode: "tozero" } },
  }));
}
