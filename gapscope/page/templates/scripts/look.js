// What works without any numbers: the choice of colours, the mark in the navigation, printing.
const byId = (id) => document.getElementById(id);
const root = document.documentElement;
const whenLookChanges = [];  // called when colours change

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const dark = { get matches() { return root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches; } };
const lookChanged = () => whenLookChanges.forEach((call) => call());
systemDark.addEventListener("change", lookChanged);

function setTheme(name) {
  if (name === "light" || name === "dark") root.dataset.theme = name;
  else delete root.dataset.theme;
  lookChanged();
}

// A browser may refuse storage, above all to files: the choice then lasts until the page is closed.
const remembered = {
  get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* see above */ } },
};

const themeChoice = byId("theme"), themeRemembered = remembered.get("gapscope-theme");
if (["light", "dark"].includes(themeRemembered)) setTheme(themeRemembered);
if (themeChoice) {
  themeChoice.value = root.dataset.theme ?? "auto";
  themeChoice.closest("[hidden]")?.removeAttribute("hidden");
  themeChoice.addEventListener("change", () => {
    remembered.set("gapscope-theme", themeChoice.value);
    setTheme(themeChoice.value);
  });
}
addEventListener("storage", (event) => {  // another page of ours has chosen
  if (event.key !== "gapscope-theme") return;
  if (themeChoice) themeChoice.value = event.newValue;
  setTheme(event.newValue);
});

// The section that is being read is marked in the navigation, and its link stays in view on narrow screens.
const links = new Map([...document.querySelectorAll("nav a[href^='#']")].map((link) => [byId(link.hash.slice(1)), link]));
links.delete(null);
function markSection() {
  const line = innerHeight / 3, atEnd = innerHeight + scrollY >= root.scrollHeight - 2;
  let current = null;
  for (const [section, link] of links) {
    if (atEnd || section.getBoundingClientRect().top <= line) current = link;
  }
  for (const link of links.values()) {
    if (link === current && !link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "location");
      const list = link.closest("ul");
      list.scrollLeft += link.getBoundingClientRect().left - list.getBoundingClientRect().left - 40;
    } else if (link !== current) link.removeAttribute("aria-current");
  }
}
let marking = false;
addEventListener("scroll", () => {
  if (marking) return;
  marking = true;
  requestAnimationFrame(() => { marking = false; markSection(); });
}, { passive: true });
markSection();

// A link into a section that is folded up opens it.
function unfold(target) {
  if (!target) return;
  for (let at = target; at; at = at.parentElement?.closest("details")) if (at.tagName === "DETAILS") at.open = true;
  const own = target.querySelector(":scope > details.more");
  if (own) own.open = true;
}
const aimed = (hash) => (hash.length > 1 ? byId(decodeURIComponent(hash.slice(1))) : null);
for (const link of document.querySelectorAll("a[href^='#']")) link.addEventListener("click", () => unfold(aimed(link.hash)));
addEventListener("hashchange", () => unfold(aimed(location.hash)));
unfold(aimed(location.hash));

// A table that does not fit ends between two of its columns, never within a number, and says that there is more.
function fitTables() {
  for (const holder of document.querySelectorAll(".scroll")) {
    holder.style.maxWidth = "";
    holder.style.removeProperty("--room");
    const row = holder.querySelector("thead tr:last-child"), more = row && holder.clientWidth && holder.scrollWidth > holder.clientWidth + 1;
    holder.toggleAttribute("data-more", Boolean(more));
    if (!more) continue;
    const left = holder.getBoundingClientRect().left + holder.clientLeft;
    const ends = [...row.cells].map((cell) => cell.getBoundingClientRect().right - left).filter((end) => end <= holder.clientWidth);
    if (ends.length > 1) holder.style.maxWidth = `${Math.ceil(ends.at(-1)) + holder.offsetWidth - holder.clientWidth}px`;
    holder.style.setProperty("--room", `${holder.clientWidth}px`);
  }
}
fitTables();
addEventListener("resize", fitTables);
document.addEventListener("toggle", fitTables, true);

// Paper is white. What is folded up stays so: the reader has not asked for it.
const whenPrinting = [];  // called with true before printing, with false after it
let themeBefore;
addEventListener("beforeprint", () => {
  themeBefore = root.dataset.theme;
  root.classList.add("printing");
  setTheme("light");
  document.querySelectorAll(".scroll").forEach((holder) => holder.removeAttribute("style"));
  whenPrinting.forEach((call) => call(true));
});
addEventListener("afterprint", () => {
  root.classList.remove("printing");
  whenPrinting.forEach((call) => call(false));
  setTheme(themeBefore);
  fitTables();
});
