// Draws a Mermaid source inside a frame whose page has a policy of its own. It listens to the page around it alone.
import mermaid from "mermaid";

const font = "'Segoe UI', Arial, sans-serif";
mermaid.initialize({
  startOnLoad: false,
  suppressErrorRendering: true,
  securityLevel: "strict",
  htmlLabels: false,
  flowchart: { htmlLabels: false },
  theme: "base",
  fontFamily: font,
  themeVariables: {
    fontFamily: font,
    background: "#ffffff",
    primaryColor: "#ebf4fb",
    primaryBorderColor: "#3182ce",
    primaryTextColor: "#1a202c",
    secondaryColor: "#f3eefc",
    secondaryBorderColor: "#805ad5",
    tertiaryColor: "#e8f6ee",
    tertiaryBorderColor: "#38a169",
    lineColor: "#4a5568",
    textColor: "#1a202c",
  },
});

const place = document.getElementById("place");
const answer = (message) => parent.postMessage(message, location.origin);
let newest = 0;
let turn = Promise.resolve();

addEventListener("message", ({ origin, source: sender, data }) => {
  if (origin !== location.origin || sender !== parent || typeof data?.source !== "string") return;
  newest = data.id;
  turn = turn.then(() => draw(data.id, data.source));
});

async function draw(id, source) {
  if (id !== newest) return answer({ kind: "superseded", id });
  try {
    const { svg } = await mermaid.render(`diagram${id}`, source);
    place.innerHTML = svg;
    answer({ kind: "drawn", id });
  } catch (error) {
    answer({ kind: "refused", id, message: String(error?.message ?? error).slice(0, 500) });
  }
}

answer({ kind: "ready" });
