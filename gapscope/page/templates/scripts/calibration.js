// Performance: confidence against the share of right detections.
const redrawCalibration = draw("plot-calibration", () => {
  const domain = Number(byId("calibration-domain").value), arm = byId("calibration-arm").value;
  const runs = scored.runs.filter((r) => r.domain === domain && (arm === "all" || r.arm === Number(arm)));
  const most = Math.max(1, ...runs.flatMap((r) => r.bins.slice(1).map(([n]) => n)));
  const diagonal = { type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], name: "as sure as right", line: { color: cssColor("--soft"), width: 1, dash: "dot" }, hoverinfo: "skip" };
  return {
    traces: [diagonal, ...runs.map((r) => {
      const held = r.bins.filter(([n]) => n), name = plain(`${scored.arms[r.arm]}, seed ${r.seed}`);
      return {
        type: "scatter", mode: "lines+markers", name, x: held.map((b) => b[1] / 1000), y: held.map((b) => b[2] / 1000), customdata: held.map(([n, , right]) => `${Math.round(right / 10)} % of ${n}`),
        line: { color: colorOfArm(r.arm), dash: dashOfSeed(r.seed), width: 1.6 },
        marker: { color: colorOfArm(r.arm), symbol: symbolOfArm(r.arm), size: held.map(([n]) => 5 + 13 * Math.sqrt(Math.min(1, n / most))) },
        hovertemplate: "confidence %{x:.2f}: %{customdata} detections right<extra>" + name + "</extra>",
      };
    })],
    shape: {
      xaxis: { range: [0, 1.02], title: { text: "mean confidence of the bin" }, zeroline: false }, yaxis: { range: [0, 1.03], title: { text: "share that is right" }, zeroline: false },
    },
  };
});
onChange(["calibration-domain", "calibration-arm"], redrawCalibration);
