// Performance: which class is taken for which, two arms side by side.
function confusionCounts(arm, domain, seed) {
  const size = scored.classes.length + 1, counts = Array.from({ length: size }, () => new Array(size).fill(0));
  const runs = scored.runs.filter((r) => r.arm === arm && r.domain === domain && (seed === "all" || r.seed === Number(seed)));
  for (const r of runs) for (const [row, column, n] of r.confusion) counts[row][column] += n;
  counts[size - 1][size - 1] = null;  // nothing is not taken for nothing
  return runs.length ? counts : null;
}

for (const side of ["left", "right"]) {
  const redraw = draw(`plot-confusion-${side}`, () => {
    const arm = Number(byId(`confusion-${side}`).value), domain = Number(byId("confusion-domain").value);
    const counts = confusionCounts(arm, domain, byId("confusion-seed").value);
    if (!counts) return { traces: [], shape: { annotations: [{ text: "not evaluated", showarrow: false }] } };
    const shares = counts.map((row) => {
      const total = row.reduce((sum, n) => sum + (n ?? 0), 0);
      return row.map((n) => (n === null ? null : total ? n / total : 0));
    });
    const places = counts.map((_, i) => i), few = places.length <= 13, names = scored.classes.map(plain);
    const columns = [...names, "missed"], rows = [...names, "nothing there"], axis = { showgrid: false, zeroline: false, automargin: true, tickfont: { size: few ? 12 : 9 } };
    return {
      traces: [{
        type: "heatmap", z: shares, zmin: 0, zmax: 1, xgap: 1, ygap: 1, showscale: false,
        colorscale: [[0, cssColor("--card")], [1, dark.matches ? "#1f5f91" : "#7fb8e2"]], textfont: { color: cssColor("--ink") },
        text: counts.map((row) => row.map((n) => (n ? String(n) : ""))), texttemplate: few ? "%{text}" : "",
        customdata: counts.map((row, i) => row.map((n, j) => `${rows[i]}, taken for ${columns[j]}: ${n} (${(100 * (shares[i][j] ?? 0)).toFixed(1)} % of the row)`)),
        hoverongaps: false, hovertemplate: "%{customdata}<extra></extra>",
      }],
      shape: {
        title: { text: plain(scored.arms[arm]), font: { size: 14 }, x: 0.5, y: 0.98 }, margin: { l: 60, r: 10, t: 34, b: 60 },
        xaxis: { ...axis, tickvals: places, ticktext: columns, title: { text: "detected as" }, tickangle: few ? "auto" : -90 },
        yaxis: { ...axis, tickvals: places, ticktext: rows, title: { text: "labelled as" }, autorange: "reversed" },
      },
    };
  });
  onChange([`confusion-${side}`, "confusion-domain", "confusion-seed"], redraw);
}
