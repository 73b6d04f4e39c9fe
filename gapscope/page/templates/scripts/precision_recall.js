// Performance: precision against recall, of one class or the mean of the headline classes.
function meanCurve(curves, classes) {
  const known = classes.map((c) => curves[c]).filter(Boolean).map(inSteps);
  return known.length ? known[0].map((_, i) => known.reduce((sum, curve) => sum + (curve[i] ?? 0), 0) / known.length) : null;
}

const redrawPrecisionRecall = draw("plot-pr", () => {
  const domain = Number(byId("pr-domain").value), arm = byId("pr-arm").value, chosen = byId("pr-class").value, rule = byId("pr-rule").value;
  const runs = scored.runs.filter((r) => r.domain === domain && (arm === "all" || r.arm === Number(arm)));
  const traces = runs.flatMap((r) => {
    const y = chosen === "all" ? meanCurve(r.curves[rule], scored.headline) : r.curves[rule][chosen] && inSteps(r.curves[rule][chosen]);
    if (!y) return [];
    const confidence = chosen === "all" || rule === "paper" ? null : r.confidence[chosen], best = chosen === "all" ? null : r.best[chosen];
    const name = plain(`${scored.arms[r.arm]}, seed ${r.seed}`), legendgroup = `${r.arm} ${r.seed}`;
    const line = {
      type: "scatter", mode: "lines", x: y.map((_, i) => i / (y.length - 1)), y, name, legendgroup,
      line: { color: colorOfArm(r.arm), dash: dashOfSeed(r.seed), width: 2 },
      customdata: y.map((_, i) => (confidence && confidence[i] !== null ? `, from confidence ${(confidence[i] / 1000).toFixed(3)}` : "")),
      hovertemplate: "recall %{x:.2f}, precision %{y:.3f}%{customdata}<extra>" + name + "</extra>",
    };
    if (!best) return [line];
    const [from, precision, recall, f1] = inSteps(best);
    return [line, {
      type: "scatter", mode: "markers", x: [recall], y: [precision], name, legendgroup, showlegend: false,
      marker: { size: 11, color: colorOfArm(r.arm), symbol: symbolOfArm(r.arm), line: { color: cssColor("--card"), width: 1.5 } },
      hovertemplate: `highest F1: ${f1.toFixed(2)}, from confidence ${from.toFixed(3)}<br>recall %{x:.2f}, precision %{y:.3f}<extra>${name}</extra>`,
    }];
  });
  const annotations = traces.length ? [] : [{ text: "no labelled box of this class in these test images", showarrow: false }];
  return {
    traces, shape: {
      annotations, xaxis: { range: [0, 1.01], title: { text: "recall" }, zeroline: false }, yaxis: { range: [0, 1.03], title: { text: "precision" }, zeroline: false },
    },
  };
});
onChange(["pr-domain", "pr-arm", "pr-class", "pr-rule"], redrawPrecisionRecall);
