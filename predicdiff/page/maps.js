"use strict";
// Maps over pictures: drawn as predicdiff's pictures are, and read pixel by pixel with the mouse, a finger or the keyboard.

/** The palettes: red, green and blue of each level, and these with their opacity as a pane of glass over a picture. */
const PALETTES = DATA.palettes.map((one) => ({
  ...one,
  colours: new Uint8Array(bytes(one.colours)),
  pane: new Uint8Array(bytes(one.pane)),
}));
/** Pixels that an arrow key moves by, with Shift. */
const LEAP = 10;
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** How maps are drawn; the controls change it. */
const look = {
  opacity: 1,
  hidden: DATA.look.sure ? 2 : 0,
  scale: DATA.look.scale,
  palette: PALETTES.find((one) => one.name === DATA.look.cmap),
  ground: "grey",
  linked: true,
};
/** All panels of the page, pictures without a map too, and the one that was pointed at last. */
const panels = [];
let active = null;

/** The bytes of base64; the numbers in them lie as every browser's machine has them, the lowest byte first. */
function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;
}

function floats(base64) {
  return base64 === null ? null : new Float32Array(bytes(base64));
}

/** The place of a level between -1 and 1 in a palette's tables. */
function step(level) {
  return Math.round(((level + 1) / 2) * (look.palette.colours.length / 3 - 1));
}

/** What is above zero in words of the palette, and what is below. */
function sign(value) {
  if (value === 0 || Number.isNaN(value)) {
    return "";
  }
  return value > 0 ? ` for (${look.palette.positive})` : ` against (${look.palette.negative})`;
}

function span(start, length) {
  return length === 1 ? `${start}` : `${start} to ${start + length - 1}`;
}

/** One result: its picture, and what its maps have in common. */
class Result {
  constructor(data, colours) {
    this.data = data;
    this.colours = colours;
    this.greys = Result.greyed(colours);
    this.segments = data.segments && new Int32Array(bytes(data.segments));
    this.sizes = new Map();
    this.segments?.forEach((one) => this.sizes.set(one, (this.sizes.get(one) || 0) + 1));
    this.unit = data.unit === "bits" ? " bits" : "";
  }

  /** The picture without its colours and with its blacks lifted, so that dark colours stand out against it. */
  static greyed(colours) {
    const [dark, light] = DATA.greys;
    const greys = new Uint8ClampedArray(colours.length);
    for (let at = 0; at < colours.length; at += 4) {
      const luma = DATA.luma.reduce((sum, weight, channel) => sum + weight * colours[at + channel], 0) / 255;
      greys.fill(255 * (dark + (light - dark) * luma), at, at + 3);
    }
    return greys;
  }

  /** Its picture's pixels, red, green, blue and opacity, row by row. */
  static async from(data) {
    const image = make("img", { src: data.picture, alt: "" });
    await image.decode();
    const canvas = make("canvas", { width: data.width, height: data.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return new Result(data, context.getImageData(0, 0, data.width, data.height).data);
  }
}

/** A picture and what is pointed at in it. */
class Panel {
  constructor(result, title, level) {
    this.result = result;
    const { width, height, rows, columns } = result.data;
    [this.rows, this.columns] = [rows, columns];
    this.canvas = make("canvas", { width, height });
    this.across = make("div", { class: "across", hidden: true });
    this.down = make("div", { class: "down", hidden: true });
    this.box = make("div", { class: "window", hidden: true });
    this.heading = make("div", { class: "heading" }, make(level, { text: title }));
    this.below = make("p", { class: "faint", text: `${width} x ${height} pixels` });
    this.heading.append(this.below);
    this.frame = make("div", { class: "frame" }, this.canvas, this.box, this.across, this.down);
    this.element = make("figure", { class: "panel" }, this.heading, this.frame);
    this.kept = null;
    this.listen();
  }

  listen() {
    this.canvas.addEventListener("pointermove", (event) => point(this, ...this.at(event), false));
    this.canvas.addEventListener("pointerleave", () => release(this));
    this.canvas.addEventListener("click", (event) => point(this, ...this.at(event), true));
    // where a pixel is large its edges are shown, where it is small the browser smooths
    new ResizeObserver(() => {
      this.canvas.classList.toggle("crisp", this.canvas.clientWidth >= 2 * this.canvas.width);
    }).observe(this.canvas);
  }

  /** The row and the column of the map under a pointer. */
  at(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const [down, along] = [(event.clientY - top) / height, (event.clientX - left) / width];
    return [this.inside(Math.floor(down * this.rows), this.rows), this.inside(Math.floor(along * this.columns), this.columns)];
  }

  inside(place, size) {
    return Math.min(size - 1, Math.max(0, place));
  }

  /** Put the crosshair on a pixel. */
  show(row, column) {
    this.place = [row, column];
    this.across.style.top = `${(100 * (row + 0.5)) / this.rows}%`;
    this.down.style.left = `${(100 * (column + 0.5)) / this.columns}%`;
    this.across.hidden = this.down.hidden = false;
  }

  draw() {
    const { width, height } = this.canvas;
    this.canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(this.result.colours), width, height), 0, 0);
  }

  relabel() {
    this.canvas.setAttribute("role", "img");
    const { width, height } = this.canvas;
    this.canvas.setAttribute("aria-label", `The picture as the net sees it, ${width} by ${height} pixels.`);
  }
}

/** A map over its picture, with what is read off it. */
class MapPanel extends Panel {
  constructor(result, map, level) {
    super(result, map.title, level);
    this.map = map;
    this.relevance = floats(map.relevance);
    this.stderr = floats(map.stderr);
    this.lost = floats(map.lost);
    this.error = this.stderr && this.stderr.map((noise, at) => Math.hypot(noise, (this.lost && this.lost[at]) || 0));
    this.evidence = map.evidence && { ...map.evidence, values: floats(map.evidence.values) };
    this.findEnds();
    this.furnish();
  }

  /** The pixels of the largest and the smallest relevance, the first of equals. */
  findEnds() {
    this.highest = this.lowest = -1;
    this.relevance.forEach((value, at) => {
      if (!Number.isFinite(value)) {
        return;
      }
      this.highest = this.highest < 0 || value > this.relevance[this.highest] ? at : this.highest;
      this.lowest = this.lowest < 0 || value < this.relevance[this.lowest] ? at : this.lowest;
    });
    this.largest = this.highest < 0 ? 0 : Math.max(this.relevance[this.highest], -this.relevance[this.lowest]);
  }

  furnish() {
    const reliability = this.map.reliability === null ? "" : `, reliability ${this.map.reliability}`;
    const place = this.map.place === this.map.title ? "" : `${this.map.place}: `;
    this.below.textContent = `${place}${this.map.value}${reliability}`;
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("aria-describedby", "help");
    this.canvas.addEventListener("keydown", (event) => this.move(event));
    this.canvas.addEventListener("focus", () => activate(this));
    this.bar = make("canvas", { width: 256, height: 1, "aria-hidden": "true" });
    [this.low, this.high] = [make("span"), make("span")];
    this.legend = make("div", { class: "legend" }, this.bar, this.low, this.high);
    this.readout = make("dl", { class: "readout" });
    this.ends = make("div", { class: "ends" }, ...this.endButtons());
    this.element.append(make("figcaption", {}, this.legend, this.readout, this.ends));
  }

  endButtons() {
    if (this.highest < 0) {
      return [];
    }
    const button = (name, at) => {
      const text = `${name} ${signed(this.relevance[at])}`;
      const label = `${text}${this.result.unit}: go to this pixel of ${this.map.title}`;
      const go = () => point(this, ...this.cell(at), true, true);
      return make("button", { type: "button", text, "aria-label": label, on: { click: go } });
    };
    return [button("Highest", this.highest), button("Lowest", this.lowest)];
  }

  /** The row and the column of a number in the map. */
  cell(at) {
    return [Math.floor(at / this.columns), at % this.columns];
  }

  move(event) {
    const step = ARROWS[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    event.preventDefault();
    const [row, column] = this.place;
    const by = event.shiftKey ? LEAP : 1;
    point(this, this.inside(row + by * step[0], this.rows), this.inside(column + by * step[1], this.columns), true, true);
  }

  /** The magnitude that gets the full colour. Maps of bits and of activations can't share one. */
  get scale() {
    if (typeof look.scale === "number") {
      return look.scale;
    }
    const isAlike = (one) => one.map && one.result.unit === this.result.unit;
    const alike = look.scale === "shared" ? panels.filter(isAlike) : [this];
    const largest = Math.max(...alike.map((one) => one.largest));
    return largest < DATA.nothing ? 1 : largest;
  }

  /** Whether a pixel is hidden since its relevance may well be zero, or its error is not known. */
  isHidden(at) {
    return look.hidden > 0 && this.error !== null && !(Math.abs(this.relevance[at]) >= look.hidden * this.error[at]);
  }

  draw() {
    const { width, height } = this.canvas;
    const image = new ImageData(width, height);
    const ground = look.ground === "colour" ? this.result.colours : this.result.greys;
    for (let y = 0, to = 0; y < height; y++) {
      const start = Math.floor(((y + 0.5) * this.rows) / height) * this.columns;
      for (let x = 0; x < width; x++, to += 4) {
        const at = start + Math.floor(((x + 0.5) * this.columns) / width);
        mix(image.data, to, this.level(at), look.ground === "none" ? null : ground);
      }
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    this.drawLegend();
  }

  /** The relevance in units of the scale, from -1 to 1; NaN where it is not known. */
  level(at) {
    if (this.isHidden(at)) {
      return 0;
    }
    const value = this.relevance[at];
    return Number.isFinite(value) ? Math.min(1, Math.max(-1, value / this.scaleNow)) : NaN;
  }

  drawLegend() {
    const { width } = this.bar;
    const image = new ImageData(width, 1);
    const white = new Uint8ClampedArray(4 * width).fill(255);
    for (let x = 0; x < width; x++) {
      mix(image.data, 4 * x, (2 * x) / (width - 1) - 1, look.ground === "none" ? null : white);
    }
    this.bar.getContext("2d").putImageData(image, 0, 0);
    const isBeyond = (at, sign) => at >= 0 && sign * this.relevance[at] > this.scaleNow;
    const less = isBeyond(this.lowest, -1) ? " or less," : "";
    const more = isBeyond(this.highest, 1) ? " or more," : "";
    this.low.textContent = `${MINUS}${told(this.scaleNow)}${less} against (${look.palette.negative})`;
    this.high.textContent = `+${told(this.scaleNow)}${this.result.unit}${more} for (${look.palette.positive})`;
  }

  relabel() {
    const ends = this.highest < 0 ? "" : ` Highest ${this.endTold(this.highest)}, lowest ${this.endTold(this.lowest)}.`;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "relevance map");
    this.canvas.setAttribute(
      "aria-label",
      `What speaks for ${this.map.title} in ${look.palette.positive}, against it in ${look.palette.negative}.${ends}`,
    );
  }

  endTold(at) {
    const [row, column] = this.cell(at);
    return `${signed(this.relevance[at])}${this.result.unit} at row ${row}, column ${column}`;
  }

  show(row, column) {
    super.show(row, column);
    this.readout.replaceChildren(...pairs(this.lines(row, column)));
  }

  /** A number with its unit, where it is known. */
  amount(value) {
    return Number.isNaN(value) ? told(value) : `${told(value)}${this.result.unit}`;
  }

  /** What is read off at a pixel, as names and values; outlines the window that it speaks of. */
  lines(row, column) {
    const at = row * this.columns + column;
    const value = this.relevance[at];
    const lines = [["Pixel", `row ${row}, column ${column}`]];
    lines.push(["Relevance", Number.isNaN(value) ? "not known" : `${signed(value)}${this.result.unit}${sign(value)}`]);
    lines.push(["Standard error", this.stderr ? this.amount(this.stderr[at]) : "unknown: one draw a window"]);
    if (this.lost) {
      lines.push(["Interpolation error", this.amount(this.lost[at])]);
    }
    this.box.hidden = true;
    return [...lines, ...this.around(row, column, at)];
  }

  /** The window or the segment at a pixel. */
  around(row, column, at) {
    if (this.result.segments) {
      const segment = this.result.segments[at];
      return [["Segment", `number ${segment}, of ${this.result.sizes.get(segment)} pixels`]];
    }
    if (!this.result.data.window || Number.isNaN(this.relevance[at])) {
      return [];
    }
    const { title, value, top, left, height, width } = this.evidence ? this.foremost(row, column) : this.mean(row, column);
    this.outline(top, left, height, width);
    return [
      [title, `${signed(value)}${this.result.unit}${sign(value)}`],
      ["Its place", `rows ${span(top, height)}, columns ${span(left, width)}`],
    ];
  }

  /** Of the windows that cover a pixel the one with the largest evidence, for or against. */
  foremost(row, column) {
    const { values, rows, columns } = this.evidence;
    const [height, width] = this.result.data.window;
    let found = { value: 0 };
    rows.forEach((top, down) => {
      if (row < top || row >= top + height) {
        return;
      }
      columns.forEach((left, along) => {
        const value = values[down * columns.length + along];
        if (column >= left && column < left + width && (found.top === undefined || Math.abs(value) > Math.abs(found.value))) {
          found = { value, top, left };
        }
      });
    });
    return { title: "Window that matters most", height, width, ...found };
  }

  /** The mean relevance around a pixel, where the file does not tell what each window said. */
  mean(row, column) {
    const [height, width] = this.result.data.window;
    const top = Math.min(this.rows - height, Math.max(0, row - Math.floor(height / 2)));
    const left = Math.min(this.columns - width, Math.max(0, column - Math.floor(width / 2)));
    let [sum, count] = [0, 0];
    for (let down = top; down < top + height; down++) {
      for (let along = left; along < left + width; along++) {
        const value = this.relevance[down * this.columns + along];
        [sum, count] = Number.isFinite(value) ? [sum + value, count + 1] : [sum, count];
      }
    }
    return { title: "Mean relevance around it", value: sum / count, top, left, height, width };
  }

  outline(top, left, height, width) {
    this.box.hidden = false;
    Object.assign(this.box.style, {
      top: `${(100 * top) / this.rows}%`,
      left: `${(100 * left) / this.columns}%`,
      height: `${(100 * height) / this.rows}%`,
      width: `${(100 * width) / this.columns}%`,
    });
  }

  get sentence() {
    // a stop behind each value, at which a voice rests
    const told = [...this.readout.children].map((one) => one.textContent + (one.tagName === "DT" ? ":" : "."));
    return `${this.map.title}. ${told.join(" ")}`;
  }
}

/** Put the colour of a level into an image: over a ground as a pane of glass, without one as it is. */
function mix(to, at, level, ground) {
  const known = !Number.isNaN(level);
  const place = known ? step(level) : 0;
  const { colours, pane } = look.palette;
  const opacity = known ? (pane[4 * place + 3] / 255) * look.opacity : 0;
  for (let channel = 0; channel < 3; channel++) {
    const alone = known ? colours[3 * place + channel] : 255 * DATA.missing;
    to[at + channel] = ground ? pane[4 * place + channel] * opacity + ground[at + channel] * (1 - opacity) : alone;
  }
  to[at + 3] = 255;
}

/** Point at a pixel of a panel, and at the same place in all others where they are linked. */
function point(panel, row, column, keep, aloud = false) {
  activate(panel);
  for (const one of look.linked ? panels : [panel]) {
    const there = [Math.floor(((row + 0.5) * one.rows) / panel.rows), Math.floor(((column + 0.5) * one.columns) / panel.columns)];
    one.show(...there);
    one.kept = keep ? there : one.kept;
  }
  if (keep) {
    [byId("row").value, byId("column").value] = [row, column];
  }
  if (aloud && panel.map) {
    // moves of the mouse are not said aloud: a voice could not keep up with them
    byId("said").textContent = panel.sentence;
  }
}

/** The pointer has left: show again what was kept. */
function release(panel) {
  for (const one of look.linked ? panels : [panel]) {
    if (one.kept) {
      one.show(...one.kept);
    }
  }
}

/** Rows and columns that are typed in mean this panel. */
function activate(panel) {
  active = panel;
  byId("row").max = panel.rows - 1;
  byId("column").max = panel.columns - 1;
}

/** Go to the pixel that was typed in, once it is one. */
function typed() {
  const [row, column] = ["row", "column"].map((id) => byId(id).valueAsNumber);
  if (Number.isInteger(row) && Number.isInteger(column) && byId("row").validity.valid && byId("column").validity.valid) {
    point(active.map ? active : panels.find((one) => one.map && one.result === active.result), row, column, true, true);
  }
}

/** What is hidden, in words: the controls are not seen on paper. */
function cleared() {
  const errors = look.hidden === 1 ? "error" : "errors";
  return look.hidden > 0 ? ` What lies within ${look.hidden} ${errors} of zero is left clear.` : "";
}

/** Draw all maps as the controls say. */
function redraw() {
  for (const panel of panels) {
    panel.scaleNow = panel.map && panel.scale;
    panel.draw();
    panel.relabel();
    if (panel.place) {
      panel.show(...panel.place);
    }
  }
  byId("words").textContent =
    `Where the picture speaks for a class it is ${look.palette.positive}, where it speaks against it ` +
    `${look.palette.negative}: the more colour, the more the prediction changes when other pixels stand there.${cleared()}`;
}

/** Bind a control to what it changes. */
function control(id, event, change) {
  byId(id).addEventListener(event, () => {
    change(byId(id));
    redraw();
  });
}

/** The scale that the controls ask for; until a number above zero is typed in, that of each map. */
function scaleAsked() {
  const asked = byId("scale").value;
  byId("full-label").hidden = asked !== "number";
  const full = byId("full").valueAsNumber;
  return asked !== "number" ? asked : full > 0 ? full : "own";
}

function furnishScale() {
  const fixed = typeof look.scale === "number";
  byId("scale").value = fixed ? "number" : look.scale;
  byId("full").value = fixed ? look.scale : "";
  byId("full-label").hidden = !fixed;
}

function furnishControls() {
  byId("palette").append(...PALETTES.map(({ name, positive, negative }) =>
    make("option", { value: name, text: `${name} (${positive} for, ${negative} against)` })));
  byId("palette").value = look.palette.name;
  byId("hidden").value = look.hidden;
  furnishScale();
  control("opacity", "input", ({ value }) => {
    look.opacity = value / 100;
    byId("opacity-told").textContent = `${value}%`;
  });
  control("hidden", "change", ({ value }) => { look.hidden = Number(value); });
  control("scale", "change", () => { look.scale = scaleAsked(); });
  control("full", "input", () => { look.scale = scaleAsked(); });
  control("palette", "change", ({ value }) => { look.palette = PALETTES.find((one) => one.name === value); });
  control("ground", "change", ({ value }) => { look.ground = value; });
  control("linked", "change", ({ checked }) => { look.linked = checked; });
  byId("row").addEventListener("input", typed);
  byId("column").addEventListener("input", typed);
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  if (panels.every((one) => !one.error)) {
    byId("hidden").disabled = true;
    byId("hidden").title = "The standard errors are unknown, since each window had one draw.";
  }
}

/** A result's part of the page. */
function section(result) {
  const { name, maps, notes: texts, facts: tables } = result.data;
  const several = DATA.results.length > 1;
  const level = several ? "h3" : "h2";
  const own = [new Panel(result, "What the net sees", level), ...maps.map((map) => new MapPanel(result, map, level))];
  panels.push(...own);
  const element = make("section", { class: "result", "aria-label": name || "Maps" });
  if (several) {
    element.append(make("h2", { text: name }));
  }
  element.append(notes(texts), make("div", { class: "panels" }, ...own.map((one) => one.element)));
  element.append(facts(tables, "What was computed, and how"));
  // as many maps, as much room
  Object.assign(element.style, { flexGrow: own.length, flexBasis: several ? `${17 * own.length}rem` : "100%" });
  return element;
}

async function begin() {
  for (const data of DATA.results) {
    byId("results").append(section(await Result.from(data)));
  }
  furnishControls();
  redraw();
  const first = panels.find((one) => one.map);
  const [high, low] = [first.highest, first.lowest];
  const start = high < 0 ? 0 : first.relevance[high] >= -first.relevance[low] ? high : low;
  point(first, ...first.cell(start), true);
  document.body.dataset.ready = "yes";
}

begin();
