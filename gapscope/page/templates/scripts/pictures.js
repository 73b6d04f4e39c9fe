// Pictures: which are shown, from which confidence on, and one of them large. Works without the page's numbers.
(() => {
  const form = byId("picture-form"), dialog = byId("picture-dialog");
  if (!form) return;
  const pictures = [...document.querySelectorAll(".picture")], more = byId("picture-more");
  const chosen = (name) => byId(`picture-${name}`).value;
  const galleries = [...document.querySelectorAll(".gallery")];
  const STEP = 4;
  let room = STEP;  // pictures that are shown of each domain

  const confidence = () => Number(chosen("confidence"));
  const isDetection = (mark) => "c" in mark.dataset;
  const kindOf = (mark) => mark.classList[1];
  const isSeen = (mark) => !isDetection(mark) || (kindOf(mark) === "missed" ? Number(mark.dataset.c) < confidence() : Number(mark.dataset.c) >= confidence());
  const marksOf = (panel) => [...panel.querySelectorAll(".mark")];
  const titles = new Map([...byId("picture-kind").options].map((option) => [option.value, option.textContent]));

  function counted(panel) {
    const seen = marksOf(panel).filter((mark) => !mark.classList.contains("off")), counts = new Map();
    for (const mark of seen) counts.set(kindOf(mark), (counts.get(kindOf(mark)) || 0) + 1);
    const wrong = [...titles].filter(([kind]) => counts.has(kind)).map(([kind, title]) => `${counts.get(kind)} ${title}`);
    return [`${counts.get("right") || 0} right`, ...wrong].join(", ");
  }

  function sayConfidence(picture) {
    for (const mark of marksOf(picture)) mark.classList.toggle("off", !isSeen(mark));
    for (const panel of picture.querySelectorAll(".panel[data-arm]")) {
      const text = `${panel.dataset.title}: ${counted(panel)}`;
      panel.querySelector("figcaption").textContent = text;
      panel.querySelector("svg").setAttribute("aria-label", text);
    }
  }

  // A picture fits if one of its visible boxes does: of the kind and class that are asked for, in a panel that is looked at.
  function fits(picture) {
    const domain = chosen("domain"), name = chosen("class"), kind = chosen("kind"), arm = chosen("arm");
    if (domain && picture.dataset.domain !== domain) return false;
    if (arm && !picture.querySelector(`.panel[data-arm="${CSS.escape(arm)}"]`)) return false;
    if (!name && !kind) return true;
    return marksOf(picture).some((mark) => {
      const panel = mark.closest(".panel").dataset.arm;
      if (mark.classList.contains("off") || (kind && kindOf(mark) !== kind)) return false;
      if (name && mark.dataset.n !== name && mark.dataset.t !== name) return false;
      return !arm || panel === arm || (!kind && panel === undefined);
    });
  }

  const fitting = () => pictures.filter((picture) => picture.dataset.fits);
  function show() {
    const arm = chosen("arm");
    byId("picture-confidence-value").textContent = confidence().toFixed(2);
    let listed = 0;
    for (const gallery of galleries) {
      let shown = 0;
      for (const picture of gallery.querySelectorAll(".picture")) {
        sayConfidence(picture);
        picture.dataset.fits = fits(picture) ? "yes" : "";
        if (picture.dataset.fits) shown += 1;
        picture.hidden = !picture.dataset.fits || shown > room;
        for (const panel of picture.querySelectorAll(".panel[data-arm]")) panel.hidden = Boolean(arm) && panel.dataset.arm !== arm;
      }
      gallery.hidden = !shown;
      listed += Math.min(shown, room);
    }
    const all = fitting().length;
    byId("picture-count").textContent = all ? `${listed} of ${all} pictures that fit are shown, of ${pictures.length} on this page.` : `None of the ${pictures.length} pictures on this page fits. Choose less, or another confidence.`;
    more.parentElement.hidden = listed === all;
    more.textContent = galleries.length > 1 ? `Show ${STEP} more of each domain` : `Show ${STEP} more`;
  }

  // The larger view: the same panels, and every box in words.
  let open = null;
  function boxTable(panel) {
    const rows = marksOf(panel).filter((mark) => !mark.classList.contains("off")).map((mark) => {
      const kind = kindOf(mark), { c, n, t } = mark.dataset;
      const what = kind === "label" ? "label" : kind === "ignore" ? "label: does not count" : titles.get(kind) || (kind === "ignored" ? "on a region that does not count" : kind);
      return [t ? `${n}, the label says ${t}` : n, what, c === undefined || kind === "missed" ? "" : Number(c).toFixed(2)];
    });
    const table = document.createElement("table"), body = document.createElement("tbody");
    table.createCaption().textContent = panel.querySelector("figcaption").textContent;
    const top = table.createTHead().insertRow();
    for (const [i, name] of ["class", "what it is", "confidence"].entries()) {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (i < 2) cell.className = "label";
      cell.textContent = name;
      top.append(cell);
    }
    for (const row of rows) {
      const line = body.insertRow();
      row.forEach((text, i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (!i) cell.scope = "row";
        if (i === 1) cell.className = "label";
        cell.textContent = text;
        line.append(cell);
      });
    }
    table.append(body);
    return table;
  }

  function enlarge(picture) {
    open = picture;
    const panels = [...picture.querySelectorAll(".panel:not([hidden])")];
    const copies = panels.map((panel) => panel.cloneNode(true));
    for (const image of copies.flatMap((copy) => [...copy.querySelectorAll("image[id]")])) image.removeAttribute("id");
    const words = document.createElement("div"), heading = document.createElement("summary"), details = document.createElement("details");
    heading.textContent = "Every box in words";
    details.open = Boolean(byId("picture-dialog-boxes").querySelector("details[open]"));
    words.className = "panels";
    words.append(...panels.map(boxTable));
    details.append(heading, words);
    byId("picture-dialog-title").textContent = picture.querySelector("h4").textContent;
    byId("picture-dialog-panels").replaceChildren(...copies);
    byId("picture-dialog-boxes").replaceChildren(details);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    if (!dialog.contains(document.activeElement)) byId("picture-next").focus();  // what had the focus was replaced
  }
  function step(by) {
    const all = fitting(), at = all.indexOf(open) + by;
    if (all[at]) enlarge(all[at]);
  }

  // Boxes of another seed stand on the page compressed; those of the first are put aside before they are replaced.
  const seeds = byId("picture-seed");
  let bySeed = null;
  async function chooseSeed() {
    bySeed ??= JSON.parse(await inflated("gapscope-seeds"));
    for (const picture of pictures) {
      for (const panel of picture.querySelectorAll(".panel[data-arm]")) {
        const id = picture.getAttribute("aria-labelledby").slice(2), kept = (bySeed[id] ??= {});
        const first = ((kept[seeds.options[0].value] ??= {})[panel.dataset.arm] ??= panel.querySelector(".marks").outerHTML);
        panel.querySelector(".marks").outerHTML = kept[seeds.value]?.[panel.dataset.arm] ?? first;
      }
    }
    show();
  }
  seeds?.addEventListener("change", () => { chooseSeed().catch(cannotDraw); });

  for (const picture of pictures) {
    picture.querySelector(".enlarge").addEventListener("click", () => enlarge(picture));
    picture.querySelector(".panels").addEventListener("click", () => enlarge(picture));
  }
  byId("picture-close").addEventListener("click", () => dialog.close());
  byId("picture-previous").addEventListener("click", () => step(-1));
  byId("picture-next").addEventListener("click", () => step(1));
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  for (const name of ["domain", "class", "kind", "arm"]) byId(`picture-${name}`).addEventListener("change", () => { room = STEP; show(); });
  byId("picture-confidence").addEventListener("input", show);
  more.addEventListener("click", () => { room += STEP; show(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const hidden of document.querySelectorAll("#pictures .with-script")) hidden.hidden = false;
  whenPrinting.push((begins) => { room = begins ? pictures.length : STEP; show(); });
  show();
})();
