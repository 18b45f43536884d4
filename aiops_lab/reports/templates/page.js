"use strict";
// colours of the page, light and dark, on screen and in print
const ink = {
  background: "transparent",
  title: { color: "var(--text)", subtitleColor: "var(--soft)" },
  axis: { labelColor: "var(--text)", titleColor: "var(--soft)", gridColor: "var(--line)", tickColor: "var(--line)" },
  legend: { labelColor: "var(--text)", titleColor: "var(--soft)" },
  header: { labelColor: "var(--text)", titleColor: "var(--soft)" },
  text: { color: "var(--text)" },
  style: {
    "guide-label": { fill: "var(--text)" }, "group-title": { fill: "var(--text)" }, "group-subtitle": { fill: "var(--soft)" },
  },
};

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
    for (const word of String(text).match(new RegExp(`[^ ]{1,${most}}`, "gu")) || []) {
      const longer = `${lines[lines.length - 1]} ${word}`.trim();
      if (longer.length > most && lines[lines.length - 1]) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines.length > 6 ? [...lines.slice(0, 5), "…"] : lines;
  };
  if (spec.usermeta && spec.usermeta.width === "container") spec.width = "container";
  if (spec.usermeta && spec.usermeta.width === "rows" && spec.spec) spec.spec.width = Math.max(200, width - 70);
  const title = spec.title;
  if (title && typeof title === "object") {
    spec.title = { ...title, text: wrap([title.text].flat().join(" "), 17) };
    if (title.subtitle) spec.title.subtitle = wrap([title.subtitle].flat().join(" "), 12);
  }
  const narrow = width < 560 ? { axis: { labelLimit: 140, labelFontSize: 11 }, text: { fontSize: 10.5 } } : {};
  spec.config = merge(merge(spec.config || {}, ink), narrow);
  const stacked = (key, value) => (key === "legend" && value?.columns ? { ...value, columns: 1 } : value);
  return width < 560 ? JSON.parse(JSON.stringify(spec, stacked)) : spec;
}

async function draw(figure) {
  const spec = JSON.parse(figure.querySelector("script").textContent);
  await window.vegaEmbed(figure.querySelector(".drawing"), fitted(spec, figure.clientWidth), {
    ast: true, actions: false, renderer: "svg", defaultStyle: false, mode: "vega-lite",
    tooltip: { disableDefaultStyle: true },
  });
}

for (const figure of document.querySelectorAll("figure.chart")) {
  draw(figure).catch((error) => {
    figure.classList.add("failed");
    figure.append(`This chart could not be drawn: ${error.message}`);
  });
}

for (const table of document.querySelectorAll(".table table")) {
  const rows = table.tBodies[0].rows.length;
  if (!window.DataTable || rows < 2) continue;
  new window.DataTable(table, {
    paging: rows > 15, pageLength: 10, info: rows > 15, searching: rows > 8, order: [], autoWidth: false,
    lengthChange: false, layout: { topStart: null, topEnd: rows > 8 ? "search" : null },
  });
}

for (const bar of document.querySelectorAll(".filter")) {
  const cases = [...bar.parentElement.querySelectorAll(".case")];
  const kinds = [...bar.querySelectorAll("[data-turned]")];
  const find = bar.querySelector("input");
  const show = () => {
    const kind = kinds.find((button) => button.getAttribute("aria-pressed") === "true").dataset.turned;
    const sought = find.value.toLowerCase();
    for (const one of cases) {
      one.hidden = (kind && one.dataset.turned !== kind) || !one.textContent.toLowerCase().includes(sought);
    }
  };
  find.addEventListener("input", show);
  bar.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (kinds.includes(button)) {
      for (const one of kinds) one.setAttribute("aria-pressed", String(one === button));
      show();
    } else if (button) {
      const open = button.dataset.open === "true";
      for (const one of cases) one.open = open;
      button.dataset.open = String(!open);
      button.textContent = open ? "close all" : "open all";
    }
  });
}

// texts that are cut get a button, tables that are wider than the page can be reached with the keyboard
const fitting = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.matches(".long")) unfolding(target);
    else if (target.scrollWidth > target.clientWidth) {
      target.tabIndex = 0;
      target.setAttribute("role", "region");
      target.setAttribute("aria-label", target.dataset.label);
    }
  }
});

function unfolding(text) {
  if (text.scrollHeight <= text.clientHeight + 1 || text.nextElementSibling) return;
  const more = document.createElement("button");
  Object.assign(more, { type: "button", className: "more", textContent: "show all" });
  more.setAttribute("aria-expanded", "false");
  more.addEventListener("click", () => {
    const open = text.classList.toggle("open");
    more.textContent = open ? "show less" : "show all";
    more.setAttribute("aria-expanded", String(open));
  });
  text.after(more);
}

for (const one of document.querySelectorAll(".long, .table")) fitting.observe(one);

// a number or a name that stands for a case leads to it, also where a filter had hidden it
function showCase() {
  const one = document.getElementById(location.hash.slice(1));
  if (!one || !one.matches(".case")) return;
  one.hidden = false;
  one.open = true;
  one.scrollIntoView();
  one.querySelector("summary").focus({ preventScroll: true });
}
addEventListener("hashchange", showCase);
showCase();

const code = document.querySelector(".code-switch");
code.addEventListener("click", () => {
  const show = code.getAttribute("aria-expanded") !== "true";
  code.setAttribute("aria-expanded", String(show));
  code.textContent = show ? "Hide code" : "Show code";
  for (const one of document.querySelectorAll("pre.code")) one.hidden = !show;
});

for (const button of document.querySelectorAll("[data-copy]")) {
  const [text, told] = [button.parentElement.querySelector("code"), button.nextElementSibling];
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      told.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(text);
      told.textContent = button.dataset.copy;
    }
  });
}
