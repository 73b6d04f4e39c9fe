// Text that the page holds compressed; see gapscope/page/embedding.py.
async function inflated(id) {
  if (!("DecompressionStream" in window)) throw new Error("this browser cannot inflate what the page holds compressed (it has no DecompressionStream; every current browser does)");
  const letters = atob(byId(id).textContent), bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);  // Uint8Array.from takes 20 times as long
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// Says in the place of every chart that is not drawn why it is not.
function cannotDraw(error) {
  console.error(error);
  for (const place of document.querySelectorAll(".plot:empty")) {
    const text = document.createElement("p");
    text.className = "missing";
    text.textContent = `This chart cannot be drawn here: ${error.message}. ${place.getAttribute("aria-label") || ""}`;
    place.replaceChildren(text);
    place.classList.add("undrawn");
    place.removeAttribute("role");
  }
}
