"use strict";
// The table of a study: sorted, filtered and shown a page at a time, so that thousands of rows stay quick.

const ALL = "";
/** What the values are called: of evidence they are probabilities, of other measures whatever the blob holds. */
const VALUE = DATA.rows.every((row) => row.error || row.measure === "bits") ? "Probability" : "Value";
/** The table's columns: what each is called, what it is sorted by, whether it holds numbers, what stands in its cells. */
const COLUMNS = [
  { title: "Map", cell: thumbnail },
  { title: "Image", key: "file", cell: (row) => make("span", { text: row.file }) },
  { title: "Class", key: "class", cell: (row) => make("span", { text: row.error || row.class }) },
  { title: VALUE, key: "probability", number: true },
  { title: "Highest", key: "highest", number: true, tell: signed },
  { title: "Lowest", key: "lowest", number: true, tell: signed },
  { title: "Standard error", key: "stderr", number: true },
  // cut and not rounded, so that it is not told as higher than it is
  { title: "Reliability", key: "reliability", number: true, tell: (value) => told(Math.floor(1000 * value) / 1000) },
  { title: "Seconds", key: "seconds", number: true },
];
/** The same order on every machine: of text by language, with numbers in it as numbers. */
const COLLATOR = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

const view = { key: "", down: false, page: 0, rows: DATA.rows };

/** The button that shows a row's map larger; of a failed image nothing. */
function thumbnail(row) {
  if (!row.thumbnail) {
    return "";
  }
  const image = make("img", { src: row.thumbnail, alt: "", loading: "lazy", width: 88, height: 88 });
  const label = `Show larger: ${row.class}, ${row.file}`;
  return make("button", { type: "button", class: "thumb", "aria-label": label, on: { click: () => enlarge(row) } }, image);
}

/** Two rows in the order of a column; what is not known comes last, whichever way it is sorted. */
function inOrder({ key, number }, down) {
  const missing = (row) => row[key] === null || row[key] === "";
  return (one, other) => {
    if (missing(one) || missing(other)) {
      return missing(one) - missing(other);
    }
    const order = number ? one[key] - other[key] : COLLATOR.compare(one[key], other[key]);
    return down ? -order : order;
  };
}

/** What the controls ask for, as a question to a row. */
function asked() {
  const text = byId("text").value.trim().toLowerCase();
  const [least, most] = ["least", "most"].map((id) => byId(id).valueAsNumber);
  const only = byId("class").value;
  const which = byId("which").value;
  return (row) =>
    (only === ALL || row.class === DATA.classes[only]) &&
    `${row.class}\n${row.file}`.toLowerCase().includes(text) &&
    (Number.isNaN(least) || (row.probability !== null && row.probability >= least)) &&
    (Number.isNaN(most) || (row.probability !== null && row.probability <= most)) &&
    { all: true, explained: !row.error, failed: row.error, noted: row.notes }[which];
}

/** Find and order the rows anew, and show the first page of them. */
function choose() {
  view.rows = DATA.rows.filter(asked());
  const column = COLUMNS.find((one) => one.key === view.key);
  if (view.key && column) {
    view.rows.sort(inOrder(column, view.down));
  }
  turn(0);
}

/** Show a page. */
function turn(page) {
  const size = Number(byId("size").value) || view.rows.length;
  const pages = Math.max(1, Math.ceil(view.rows.length / (size || 1)));
  view.page = Math.min(pages - 1, Math.max(0, page));
  const from = view.page * size;
  const rows = view.rows.slice(from, from + size);
  byId("rows").replaceChildren(...rows.map(line));
  const hidden = view.rows.length === DATA.rows.length ? "" : ` (of ${DATA.rows.length})`;
  byId("shown").textContent = rows.length
    ? `Rows ${from + 1} to ${from + rows.length} of ${view.rows.length}${hidden}`
    : `No row is like that${hidden}`;
  byId("before").disabled = view.page === 0;
  byId("behind").disabled = view.page === pages - 1;
}

/** A row of the table. */
function line(row) {
  const cells = COLUMNS.map(({ title, key, number, cell, tell = told }) => {
    if (number) {
      return make("td", { class: "number", text: row[key] === null ? "" : tell(row[key]) });
    }
    const [tag, scope] = title === "Image" ? ["th", "row"] : ["td", undefined];
    return make(tag, { class: key && "wide", scope }, cell(row));
  });
  return make("tr", {}, ...cells);
}

/** The headings, with a button in each by which the table is sorted. */
function head() {
  byId("head").replaceChildren(...COLUMNS.map(({ title, key, number }) => {
    const sorted = key && key === view.key;
    const order = sorted ? (view.down ? "descending" : "ascending") : undefined;
    const content = key
      ? make("button", { type: "button", text: title, "data-key": key, on: { click: () => sort(key, number) } })
      : make("span", { text: title });
    return make("th", { scope: "col", class: number && "number", "aria-sort": order }, content);
  }));
}

/** Sort by a column, the other way round where it is sorted by that; numbers begin with the largest. */
function sort(key, number) {
  view.down = view.key === key ? !view.down : Boolean(number);
  view.key = key;
  head();
  byId("head").querySelector(`[data-key="${key}"]`).focus();
  choose();
}

/** A row's picture as the study drew it, with all that is known of it. */
function enlarge(row) {
  const dialog = byId("larger");
  const picture = make("img", { src: row.picture, alt: `The maps of ${row.file}, as the study drew them.` });
  // moved away from its study, the page has the thumbnail still
  picture.addEventListener("error", () => {
    picture.replaceWith(
      make("img", { src: row.thumbnail, alt: `The map of ${row.class} over the picture.` }),
      make("p", { class: "faint", text: "The study's folder is not where it was, so this is the small picture." }),
    );
  }, { once: true });
  const close = make("button", { type: "button", text: "Close", on: { click: () => dialog.close() } });
  dialog.replaceChildren(
    make("div", { class: "bar" }, close),
    make("h2", { text: `${row.class}: ${row.file}`, id: "larger-title" }),
    picture,
    ...known(row),
  );
  dialog.showModal();
}

/** What is said of a row below its picture. */
function known(row) {
  const end = (name) => `${signed(row[name])} at row ${row[`${name}_row`]}, column ${row[`${name}_column`]}`;
  const lines = [
    [VALUE, told(row.probability)],
    ["Highest", end("highest")],
    ["Lowest", end("lowest")],
    ["Standard error", `${told(row.stderr)} (median)`],
    ["Measure", row.measure],
    ["Unit", row.unit],
  ];
  const list = make("dl", { class: "readout" }, ...pairs(lines));
  const way = row.page
    ? make("p", {}, make("a", { href: row.page, text: "Read this map pixel by pixel" }))
    : make("p", {}, "A page on which this map is read pixel by pixel: ", make("code", { text: row.command }));
  return [list, row.notes ? notes(row.notes.split(" | ")) : "", way];
}

function furnishControls() {
  const many = new Map(DATA.classes.map((name) => [name, 0]));
  DATA.rows.forEach((row) => many.set(row.class, (many.get(row.class) || 0) + 1));
  byId("class").append(
    make("option", { value: ALL, text: "all" }),
    ...DATA.classes.map((name, number) => make("option", { value: number, text: `${name} (${many.get(name)})` })),
  );
  ["class", "which", "size"].forEach((id) => byId(id).addEventListener("change", choose));
  ["text", "least", "most"].forEach((id) => byId(id).addEventListener("input", choose));
  byId("least-told").textContent = `${VALUE} from`;
  byId("most-told").textContent = `${VALUE} to`;
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    byId("controls").reset();
    choose();
  });
  byId("before").addEventListener("click", () => turn(view.page - 1));
  byId("behind").addEventListener("click", () => turn(view.page + 1));
  // a click beside a dialog closes it, as people expect
  byId("larger").addEventListener("click", (event) => {
    if (event.target === byId("larger")) {
      byId("larger").close();
    }
  });
}

/** On paper all rows are shown that are asked for, whatever a page of the table holds. */
function allRowsForPrint() {
  let size = null;
  window.addEventListener("beforeprint", () => {
    size = byId("size").value;
    byId("size").value = "0";
    turn(0);
    document.querySelectorAll("img[loading]").forEach((image) => { image.loading = "eager"; });
  });
  window.addEventListener("afterprint", () => {
    byId("size").value = size;
    turn(0);
  });
}

byId("words").textContent = DATA.words;
furnishControls();
head();
choose();
byId("facts").append(facts(DATA.facts, "What was computed, and how"));
allRowsForPrint();
document.body.dataset.ready = "yes";
