function showCard(pair, row, column) {
  const card = byId("layer-card"), some = data.grids.find((g) => key(g) === pair);
  const sameArms = (g) => g.a.replace(/-seed\d+$/, "") === some.a.replace(/-seed\d+$/, "") && g.b.replace(/-seed\d+$/, "") === some.b.replace(/-seed\d+$/, "");
  const similar = data.grids.filter(sameArms).map((g) => [
    `${g.titleA} vs ${g.titleB}`, String(g.size), data.estimators.find((e) => e.key === g.estimator).title, shown(valuesOf(g)[row][column]),
  ]);
  const statistics = [[some.a, some.titleA, row], [some.b, some.titleB, column]].flatMap(([run, title, layer]) =>
    data.statistics.filter((s) => s.run === run).map((s) => [
      `${title}, layer ${layer}`, String(s.size), ...["p", "mean", "median", "std", "min", "max"].map((name) => shown(s[name][layer])),
    ]));
  const holders = [
    table("The pair, with every estimator, seed and size", ["networks", "size", "estimator", "similarity"], similar),
    table("The two layers' outputs on the probe images", ["layer", "size", "features", "mean", "median", "std", "min", "max"], statistics),
  ].map((content) => {
    const holder = element("div", null, { class: "scroll" });
    holder.append(content);
    return holder;
  });
  const text = `${some.titleA}: ${data.layers[row]}. ${some.titleB}: ${data.layers[column]}.`;
  card.replaceChildren(element("h4", `Layer ${row} against layer ${column}`), element("p", text), ...holders);
}

byId("layer-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  showCard(byId("map-pair-left").value, Number(byId("layer-row").value), Number(byId("layer-column").value));
});
