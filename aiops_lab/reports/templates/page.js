"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");

function ink() {
  const style = getComputedStyle(document.documentElement);
  const text = style.getPropertyValue("--text").trim();
  const soft = style.getPropertyValue("--soft").trim();
  const line = style.getPropertyValue("--line").trim();
  return {
    background: "transparent",
    title: { color: text, subtitleColor: soft },
    axis: { labelColor: text, titleColor: soft, gridColor: line, tickColor: line },
    legend: { labelColor: text, titleColor: soft },
    header: { labelColor: text, titleColor: soft },
    text: { color: text },
    style: { "guide-label": { fill: text }, "group-title": { fill: text }, "group-subtitle": { fill: soft } },
  };
}

function merge(base, over) {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const both = value && typeof value === "object" && merged[key] && typeof merged[key] === "object";
    merged[key] = both ? merge(merged[key], value) : value;
  }
  return merged;
}

// titles wrap and labels shorten on a narrow page
function fitted(spec, width) {
  const wrap = (text, size) => {
    const most = Math.max(20, Math.floor(width / (size * 0.56)));
    const lines = [""];
    for (const word of String(text).split(" ")) {
      const longer = `${lines[lines.length - 1]} ${word}`.trim();
      if (longer.length > most && lines[lines.length - 1]) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines;
  };
  if (spec.usermeta && spec.usermeta.width === "container") spec.width = "container";
  const title = spec.title;
  if (title && typeof title === "object") {
    spec.title = { ...title, text: wrap([title.text].flat().join(" "), 15) };
    if (title.subtitle) spec.title.subtitle = wrap([title.subtitle].flat().join(" "), 12);
  }
  const narrow = width < 560 ? { axis: { labelLimit: 120, labelFontSize: 11 } } : {};
  spec.config = merge(merge(spec.config || {}, ink()), narrow);
  return spec;
}

async function draw(figure) {
  const spec = JSON.parse(figure.querySelector("script").textContent);
  let place = figure.querySelector("div");
  if (!place) figure.append((place = document.createElement("div")));
  place.className = "drawing";
  await window.vegaEmbed(place, fitted(spec, figure.clientWidth), {
    ast: true, actions: false, renderer: "svg", defaultStyle: false, mode: "vega-lite",
    tooltip: { disableDefaultStyle: true, theme: dark.matches ? "dark" : "custom" },
  });
}

function drawAll() {
  for (const figure of document.querySelectorAll("figure.chart")) {
    draw(figure).catch((error) => {
      figure.classList.add("failed");
      figure.append(`This chart could not be drawn: ${error.message}`);
    });
  }
}

drawAll();
dark.addEventListener("change", drawAll);

for (const table of document.querySelectorAll(".table table")) {
  const rows = table.tBodies[0].rows.length;
  if (!window.DataTable || rows < 2) continue;
  new window.DataTable(table, {
    paging: rows > 15, pageLength: 10, info: rows > 15, searching: rows > 8, order: [], autoWidth: false,
    lengthChange: false, layout: { topStart: null, topEnd: rows > 8 ? "search" : null },
  });
}

document.addEventListener("click", (event) => {
  const long = event.target.closest(".long");
  if (long) long.classList.toggle("open");
});

const button = document.getElementById("code-switch");
button.addEventListener("click", () => {
  const show = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(show));
  button.textContent = show ? "Hide code" : "Show code";
  for (const code of document.querySelectorAll("pre.code")) code.hidden = !show;
});
