// Activations: what every layer puts out, along the network.
choices("statistic-probe", probeChoices);
choices("statistic-size", sizeChoices);
choices("statistic-seed", data.seeds.length > 1 ? [...seedChoices, ["all", "all"]] : seedChoices);

// Linear between -1 and 1, logarithmic beyond: outputs of both signs, and extremes that dwarf the rest.
const bent = (value) => (value === null ? null : Math.abs(value) <= 1 ? value : Math.sign(value) * (1 + Math.log10(Math.abs(value))));
const DECADES = [1, 10, 100, 1000, 10000], BETWEEN = [0.2, 0.5, 2, 5, 20, 50, 200, 500, 2000, 5000];
const isBent = () => byId("statistic-scale").value === "log";
const onScale = (values) => (isBent() ? values.map(bent) : values);
const scaleTicks = (sizes) => {
  const ticks = [0, ...sizes, ...sizes.map((v) => -v)];
  return isBent() ? { tickvals: ticks.map(bent), ticktext: ticks.map(String) } : {};
};
const statisticTitle = (s) => (data.seeds.length > 1 ? `${data.arms[s.arm]}, seed ${s.seed}` : data.arms[s.arm]);

function chosenStatistics() {
  const facts = { probe: Number(byId("statistic-probe").value), size: Number(byId("statistic-size").value) }, seed = byId("statistic-seed").value;
  return data.statistics.filter((s) => same(s, facts) && (seed === "all" || s.seed === Number(seed)));
}

function oneStatistic(name) {
  const strip = networkStrip("y2", [0.02, 0.2]);
  return {
    traces: [...chosenStatistics().map((s) => ({
      type: "scatter", mode: "lines", x: LAYERS, y: onScale(s[name]), name: plain(statisticTitle(s)), customdata: LAYERS.map((i) => [plain(data.layers[i]), shown(s[name][i])]),
      line: { color: COLORS[s.arm % COLORS.length], dash: DASHES[data.seeds.indexOf(s.seed) % DASHES.length], width: 1.8 },
      hovertemplate: "%{customdata[0]}: %{customdata[1]}<extra>" + plain(statisticTitle(s)) + "</extra>",
    })), ...strip.traces],
    shape: {
      shapes: strip.shapes, annotations: strip.annotations, yaxis2: strip.axis,
      yaxis: { domain: [0.23, 1], title: { text: `${name} of the layer's outputs` }, ...scaleTicks([...DECADES, ...BETWEEN]) }, xaxis: layerAxis(),
    },
  };
}

// One panel per network, all on one scale.
function distributions() {
  const found = chosenStatistics(), strip = networkStrip("y9", [0.02, 0.17]), height = 0.8 / Math.max(found.length, 1), traces = [], extra = {};
  const plus = (s, sign) => s.mean.map((v, i) => (v === null ? null : v + sign * s.std[i]));
  const all = found.flatMap((s) => onScale([...s.min, ...s.max])).filter((v) => v !== null), range = [Math.min(...all), Math.max(...all)];
  const pad = (range[1] - range[0]) * 0.04, annotations = [...strip.annotations];
  found.forEach((s, i) => {
    const at = found.length - 1 - i, axis = i ? `y${i > 7 ? i + 2 : i + 1}` : "y", color = COLORS[s.arm % COLORS.length], here = { xaxis: "x", yaxis: axis, showlegend: false };
    extra[axis.replace("y", "yaxis")] = {
      domain: [0.2 + at * height + 0.012, 0.2 + (at + 1) * height - 0.012], range: [range[0] - pad, range[1] + pad], gridcolor: cssColor("--grid"), zerolinecolor: cssColor("--soft"), linecolor: cssColor("--soft"), ...scaleTicks(DECADES),
    };
    annotations.push({ xref: "paper", yref: "paper", x: 0.005, y: 0.2 + (at + 1) * height - 0.016, xanchor: "left", yanchor: "top", text: `<b>${plain(statisticTitle(s))}</b>`, showarrow: false });
    traces.push(
      { ...band(onScale(s.min), onScale(s.max), faint(color, 0.18), "", here) }, { ...band(onScale(plus(s, -1)), onScale(plus(s, 1)), faint(color, 0.45), "", here) },
      {
        ...here, type: "scatter", mode: "lines", x: LAYERS, y: onScale(s.median), line: { color, width: 2 },
        customdata: LAYERS.map((layer) => [plain(data.layers[layer]), ...["median", "mean", "std", "min", "max"].map((name) => shown(s[name][layer]))]),
        hovertemplate: "<b>%{customdata[0]}</b><br>median %{customdata[1]}, mean %{customdata[2]}, standard deviation %{customdata[3]}<br>from %{customdata[4]} to %{customdata[5]}<extra>" + plain(statisticTitle(s)) + "</extra>",
      },
    );
  });
  return { traces: [...traces, ...strip.traces], shape: { shapes: strip.shapes, annotations, yaxis9: strip.axis, ...extra, xaxis: layerAxis(), hovermode: "x" } };
}

const redrawStatistics = draw("plot-statistics", () => {
  const name = byId("statistic-name").value;
  return name === "spread" ? distributions() : oneStatistic(name);
});
onChange(["statistic-probe", "statistic-size", "statistic-seed", "statistic-name", "statistic-scale"], redrawStatistics);
