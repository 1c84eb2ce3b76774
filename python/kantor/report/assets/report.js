"use strict";
// Sorting of every table, the search for products, and the picture of what flows into and out of one of them.
// Text reaches the page through textContent only, so no label can become markup.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WORDS = { trillion: 1e12, billion: 1e9, million: 1e6 };

  function make(tag, text, attributes = {}) {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  }

  function draw(tag, attributes, parent) {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (parent) parent.append(node);
    return node;
  }

  // ---- numbers as the rest of the page writes them ------------------------------------------------------------------
  function plain(value, digits) {
    if (value === 0) return "0";
    // 999.99 with three digits is 1,000, which has four
    const size = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
    if (size < -4 || size >= 15) return value.toExponential(digits - 1);
    const decimals = Math.max(0, digits - 1 - size);
    return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }

  function amount(value, unit = "", digits = 4) {
    if (value === null || value === undefined) return "–";
    if (!/^(thousand|million|billion|trillion|1000|m\.|bn|mn)/i.test(unit)) {
      for (const [word, scale] of Object.entries(WORDS))
        if (Math.abs(Number(value.toPrecision(digits))) >= scale && Math.abs(value) < 1e16) return `${plain(value / scale, digits)} ${word}`;
    }
    return plain(value, digits);
  }

  function read(text) {
    const words = text.replace(/\u00a0/g, " ").replace(/,/g, "").replace(/^[≤≥]\s*/, "").trim();
    const found = words.match(/^[+-]?(\d+\.?\d*(e[+-]?\d+)?|inf)/i);
    if (!found) return NaN;
    const scale = WORDS[(words.slice(found[0].length).trim().split(" ")[0] || "").toLowerCase()] || 1;
    return found[0].endsWith("inf") ? (found[0][0] === "-" ? -Infinity : Infinity) : parseFloat(found[0]) * scale;
  }

  // Numbers by size, text by alphabet, what is missing last whichever way.
  function order(a, b, down) {
    const gone = (v) => v === null || v === undefined || (typeof v === "number" && Number.isNaN(v));
    if (gone(a) || gone(b)) return gone(a) - gone(b);
    const by = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    return down ? -by : by;
  }

  function sortButton(head, act) {
    const button = make("button", head.textContent, { type: "button" });
    head.textContent = "";
    head.append(button);
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort"); // a second click turns the order round
      const down = was ? was === "ascending" : head.classList.contains("num");
      for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      act(down);
    });
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    if (table.tBodies[0].rows.length < 2 || table.classList.contains("heat")) return;
    heads.forEach((head, column) => {
      if (!head.textContent) return;
      sortButton(head, (down) => {
        const rows = [...table.tBodies[0].rows].map((row) => {
          const text = row.cells[column].textContent;
          return [row, head.classList.contains("num") ? read(text) : text];
        });
        rows.sort((a, b) => order(a[1], b[1], down));
        table.tBodies[0].append(...rows.map(([row]) => row));
      });
    });
  }
  document.querySelectorAll("main table:not(#products-table)").forEach(sortable);

  // ---- light and dark, printing -------------------------------------------------------------------------------------
  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));

  // ---- products -----------------------------------------------------------------------------------------------------
  const store = document.getElementById("data");
  if (!store) return;
  const data = JSON.parse(store.textContent);
  const count = data.names.length;
  const PAGE = 15;
  const search = document.getElementById("search");
  const status = document.getElementById("found");
  const table = document.getElementById("products-table");
  const folded = data.names.map((name, i) => `${name} ${data.codes ? data.codes[i] : ""}`.toLocaleLowerCase());
  let shown = [], first = 0, key = null, down = true, picked = -1;

  const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const unitOf = (i) => (typeof data.unit === "string" ? data.unit : data.units[data.unit[i]]);
  const valueOf = (column, i) => (column === null ? data.names[i] : data.columns[column].values[i]);

  function cellText(column, i) {
    const value = column.values[i];
    if (column.kind === "text") return value === null ? "" : String(value);
    if (column.kind === "share") return value === null ? "–" : `${plain(100 * value, 4)} %`;
    return amount(value, column.kind === "amount" ? unitOf(i) : column.unit || "");
  }

  function toProduct(i, text) {
    const button = make("button", undefined, { type: "button", class: "to" });
    button.append(make("bdi", text));
    button.addEventListener("click", () => pick(i, true));
    return button;
  }

  function list() {
    const rows = shown.slice(first, first + PAGE).map((i) => {
      const row = make("tr"), head = make("th", undefined, { scope: "row", class: "label" });
      head.append(toProduct(i, short(data.names[i], 120)));
      if (data.codes && !data.names[i].includes(data.codes[i])) head.append(" ", make("small", short(data.codes[i], 40)));
      row.append(head);
      for (const column of data.columns)
        row.append(make("td", cellText(column, i), { class: column.kind === "text" ? "" : "num" }));
      if (i === picked) row.setAttribute("aria-current", "true");
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
    const to = Math.min(first + PAGE, shown.length);
    status.textContent = shown.length
      ? `${(first + 1).toLocaleString("en-US")} to ${to.toLocaleString("en-US")} of ${shown.length.toLocaleString("en-US")}`
      : "Nothing found: try a part of a name.";
    document.getElementById("before").disabled = first === 0;
    document.getElementById("after").disabled = first + PAGE >= shown.length;
  }

  function find() {
    const words = search.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    shown = [];
    for (let i = 0; i < count; i++) if (words.every((word) => folded[i].includes(word))) shown.push(i);
    arrange();
  }

  function arrange() {
    if (key !== undefined) shown.sort((a, b) => order(valueOf(key, a), valueOf(key, b), down));
    first = 0;
    list();
  }

  function head() {
    const row = table.tHead.rows[0];
    const name = make("th", "product", { scope: "col", class: "label" });
    row.append(name);
    sortButton(name, (d) => { key = null; down = d; arrange(); });
    data.columns.forEach((column, c) => {
      const title = column.kind === "amount" && typeof data.unit === "string" && data.unit ? `${column.title}, ${data.unit}` : column.title;
      const cell = make("th", title, { scope: "col", class: column.kind === "text" ? "" : "num" });
      row.append(cell);
      sortButton(cell, (d) => { key = c; down = d; arrange(); });
    });
    key = data.columns.findIndex((column) => column.key === data.order);
    if (key < 0) { key = undefined; return; }
    row.cells[key + 1].setAttribute("aria-sort", "descending");
  }

  // ---- one product: where it comes from, where it goes ----------------------------------------------------------------
  function of(flows, i, names = data.names) {
    const found = [];
    for (let k = flows.start[i]; k < flows.start[i + 1]; k++) found.push({ to: flows.who[k], worth: flows.worth[k] });
    if (flows.rest[i]) found.push({ name: "smaller ones together", worth: flows.rest[i] });
    return found.map((flow) => ({ ...flow, name: flow.name ?? names[flow.to] }));
  }

  function sides(i) {
    const left = of(data.inputs, i), right = of(data.users, i);
    for (const { to, name, worth } of of(data.rents, i, data.limits))
      left.push({ name: to === undefined ? `${name} (rents)` : `${name} (rent)`, worth, kind: "rent" });
    for (const [name, worth] of Object.entries(data.uses))
      if (worth[i]) right.push({ name, worth: worth[i], kind: "final" });
    for (const side of [left, right]) side.sort((a, b) => b.worth - a.worth);
    return [left, right];
  }

  function pick(i, move) {
    picked = i;
    const card = document.getElementById("picked"), [left, right] = sides(i);
    card.hidden = false; // first of all: what is hidden has no width to draw in
    const title = make("h3", undefined, { tabindex: "-1", class: "full" });
    title.append(make("bdi", data.names[i]));
    const facts = data.columns.map((column) => {
      const unit = column.kind === "amount" ? ` ${unitOf(i)}` : "";
      return column.kind === "text" ? cellText(column, i) : `${column.title} ${cellText(column, i)}${unit}`;
    });
    card.replaceChildren(title, make("p", `${facts.join("; ")}.`));
    if (left.length || right.length) {
      const picture = draw("svg", { class: "flow", role: "group", "aria-label": "Flows; the same as tables below" });
      card.append(picture);
      sankey(picture, i, left, right);
      const pair = make("div", undefined, { class: "pair" });
      pair.append(flowTable("Goes into it", left), flowTable("Where it goes", right));
      card.append(pair);
    } else if (data.flows) card.append(make("p", "Nothing of it is made."));
    list();
    if (move) title.focus();
  }

  function flowTable(caption, flows) {
    const table = make("table"), body = make("tbody"), row = make("tr");
    const total = flows.reduce((sum, flow) => sum + flow.worth, 0);
    const title = make("caption");
    title.append(make("span", `${caption}, worth at the plan's prices${data.worth ? `, ${data.worth}` : ""}`));
    table.append(title);
    const tops = [["", "label"], ["worth", "num"], ["share", "num"]];
    row.append(...tops.map(([text, style]) => make("th", text, { scope: "col", class: style })));
    table.append(make("thead"), body);
    table.tHead.append(row);
    for (const flow of flows) {
      const line = make("tr"), head = make("th", undefined, { scope: "row", class: "label" });
      head.append(flow.to === undefined ? flow.name : toProduct(flow.to, short(flow.name, 80)));
      line.append(head, make("td", amount(flow.worth, data.worth), { class: "num" }));
      line.append(make("td", total ? `${plain((100 * flow.worth) / total, 3)} %` : "", { class: "num" }));
      body.append(line);
    }
    const scroll = make("div", undefined, { class: "scroll" });
    scroll.append(table);
    return scroll;
  }

  function sankey(picture, i, left, right) {
    const width = Math.max(280, Math.min(document.getElementById("picked").clientWidth - 30, 960));
    const kept = (side) => side.filter((flow) => flow.worth > 0);
    const sum = (side) => side.reduce((total, flow) => total + flow.worth, 0);
    const most = Math.max(sum(kept(left)), sum(kept(right))) || 1;
    const tall = 230, slot = 21, top = 26, middle = width / 2;
    const place = (side) => {
      let y = top, inside = 0;
      const placed = kept(side).map((flow) => {
        const h = Math.max((tall * flow.worth) / most, 1), room = Math.max(h, slot);
        const spot = { flow, y: y + (room - h) / 2, h, at: inside };
        y += room + 2;
        inside += (tall * flow.worth) / most;
        return spot;
      });
      return [placed, y, inside];
    };
    const [from, bottomLeft, inLeft] = place(left), [to, bottomRight, inRight] = place(right);
    const height = Math.max(bottomLeft, bottomRight, top + tall) + 6;
    const inner = Math.max(inLeft, inRight), start = top + (height - top - inner) / 2;
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("height", height);
    const letters = Math.floor((middle - 24) / 6.4);
    for (const [spots, isLeft] of [[from, true], [to, false]]) {
      for (const { flow, y, h, at } of spots) {
        const group = draw("g", { class: flow.kind || "product" }, picture);
        const x0 = isLeft ? 9 : width - 9, x1 = isLeft ? middle - 5 : middle + 5, bend = (x0 + x1) / 2;
        const y1 = start + at, h1 = Math.max((tall * flow.worth) / most, 1);
        draw("path", { d: `M${x0},${y}C${bend},${y} ${bend},${y1} ${x1},${y1}L${x1},${y1 + h1}C${bend},${y1 + h1} ${bend},${y + h} ${x0},${y + h}Z` }, group);
        draw("rect", { x: isLeft ? 0 : width - 9, y, width: 9, height: h }, group);
        const words = `${flow.name}: ${amount(flow.worth, data.worth)}${data.worth ? ` ${data.worth}` : ""}`;
        draw("title", {}, group).textContent = words;
        const text = draw("text", { x: isLeft ? 14 : width - 14, y: y + h / 2 + 4.5, "text-anchor": isLeft ? "start" : "end" }, group);
        text.textContent = short(flow.name, letters);
        if (flow.to !== undefined) {
          for (const [name, value] of [["role", "button"], ["tabindex", "0"], ["aria-label", words]]) group.setAttribute(name, value);
          const act = () => pick(flow.to, true);
          group.addEventListener("click", act);
          group.addEventListener("keydown", (e) => {
            if (e.key === "Enter" || e.key === " ") { e.preventDefault(); act(); }
          });
        }
      }
    }
    draw("rect", { x: middle - 5, y: start, width: 10, height: Math.max(inner, 2) }, picture);
    const words = draw("text", { x: middle, y: 15, "text-anchor": "middle", "font-weight": "700" }, picture);
    words.textContent = short(data.names[i], Math.floor(width / 7.5));
  }

  head();
  search.addEventListener("input", find);
  const step = (by) => () => { first = Math.max(0, Math.min(first + by, shown.length - 1)); list(); };
  document.getElementById("before").addEventListener("click", step(-PAGE));
  document.getElementById("after").addEventListener("click", step(PAGE));
  let last = innerWidth;
  addEventListener("resize", () => {
    if (picked >= 0 && innerWidth !== last) { last = innerWidth; pick(picked, false); }
  });
  document.getElementById("explorer").hidden = false;
  find();
  if (count) pick(data.first ?? shown[0] ?? 0, false);
})();
