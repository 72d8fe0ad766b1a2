"use strict";
// What both kinds of pages need. Whatever comes from files is text here: it goes through textContent and attributes that
// hold text, never through markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const MINUS = "\u2212";

/** An element of the page by its id. */
function byId(id) {
  return document.getElementById(id);
}

/** A new element; `text` is its text, `class` and the like are attributes, `on` holds what listens to it. */
function make(tag, { text, on = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (text !== undefined) {
    element.textContent = text;
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  for (const [event, listener] of Object.entries(on)) {
    element.addEventListener(event, listener);
  }
  element.append(...children);
  return element;
}

/** A number with four digits, as people write it; null and NaN are unknown. */
function told(value) {
  if (value === null || Number.isNaN(value)) {
    return "unknown";
  }
  if (!Number.isFinite(value)) {
    return value > 0 ? "infinity" : `${MINUS}infinity`;
  }
  return String(Number(value.toPrecision(4))).replaceAll("-", MINUS);
}

/** As `told`, with a sign in front of what is above zero. */
function signed(value) {
  return value > 0 ? `+${told(value)}` : told(value);
}

/** A list of names and what they have, for `readout`s. */
function pairs(lines) {
  return lines.flatMap(([name, text]) => [make("dt", { text: name }), make("dd", { text })]);
}

/** Tables of names and values, folded away; `open` where they are to be seen at once. */
function facts(tables, title) {
  const rows = ([name, value]) => make("tr", {}, make("th", { text: name, scope: "row" }), make("td", { text: value }));
  const table = ({ title: caption, rows: all }) =>
    make("table", {}, make("caption", { text: caption }), make("tbody", {}, ...all.map(rows)));
  return make("details", {}, make("summary", { text: title }), make("div", { class: "facts" }, ...tables.map(table)));
}

/** What a reader should know before trusting a map, in sight. */
function notes(texts) {
  const list = make("ul", { class: "notes" }, ...texts.map((text) => make("li", { text })));
  return texts.length ? make("div", { class: "note" }, list) : "";
}

/** On paper nothing can be unfolded: what is folded is opened for the print, and folded again afterwards. */
function unfoldForPrint() {
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
}

byId("title").textContent = DATA.title;
byId("made").textContent = `Made by ${DATA.made}. This page loads nothing from any network.`;
unfoldForPrint();
