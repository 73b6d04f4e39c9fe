// Scales for maps: likeness from dark to bright, differences from blue over white to red.
const stops = (hex) => hex.match(/.{6}/g).map((six) => [0, 2, 4].map((at) => parseInt(six.slice(at, at + 2), 16)));
const VIRIDIS = stops("440154482475414487355f8d2a788e21918c22a88444bf707ad151bddf26fde725");
const BLUE_RED = stops("2166ac67a9cfd1e5f0f7f7f7fddbc7ef8a62b2182b");

// The colour at a share 0 to 1 of a scale.
function colourAt(scale, share) {
  const at = Math.max(0, Math.min(1, share)) * (scale.length - 1), below = Math.min(Math.floor(at), scale.length - 2);
  return [0, 1, 2].map((c) => Math.round(scale[below][c] + (at - below) * (scale[below + 1][c] - scale[below][c])));
}

// { scale, low, high, flipped } -> the colour of a value.
const colourOf = (range, value) => {
  const share = (value - range.low) / (range.high - range.low);
  return colourAt(range.scale, range.flipped ? 1 - share : share);
};

// The scale as a bar with its ends and middle named.
function scaleBar(range, title, low, high) {
  const holder = element("div", null), bar = element("div", null, { class: "scale-bar", "aria-hidden": "true" });
  const colours = Array.from({ length: 21 }, (_, i) => `rgb(${colourOf(range, range.low + ((range.high - range.low) * i) / 20).join(",")})`);
  bar.style.background = `linear-gradient(90deg, ${colours.join(", ")})`;
  const ends = element("div", null, { class: "scale-ends" });
  ends.append(element("span", `${shown(range.low, 2)} ${low}`.trim()), element("span", shown((range.low + range.high) / 2, 2)), element("span", `${shown(range.high, 2)} ${high}`.trim()));
  holder.append(element("p", title), bar, ends);
  return holder;
}
