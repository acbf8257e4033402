// The map: pans, zooms, shows states and the selected incident. The drawing itself comes from Python, once.
const NAMES_MAX = 18;
const SVG = "http://www.w3.org/2000/svg";

export default {
  props: { drawing: String, links: Array, scale: Array },
  emits: ["look", "open"],
  template: `
    <div class="citymap">
      <div class="plane" ref="plane"></div>
      <div class="scale" ref="scale" aria-hidden="true"><i></i><span>{{ scale[0] }}</span></div>
      <div class="map-buttons">
        <button type="button" aria-label="Zoom in" @click="zoom(1.5)">+</button>
        <button type="button" aria-label="Zoom out" @click="zoom(1 / 1.5)">&minus;</button>
        <button type="button" data-focus aria-label="The selected incident, or the whole city" @click="focus()"><svg viewBox="0 0 16 16"><path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"/></svg></button>
      </div>
      <div class="tip" ref="tip" role="status"></div>
    </div>`,

  mounted() {
    this.$refs.plane.innerHTML = this.drawing;
    this.svg = this.$refs.plane.firstElementChild;
    this.full = this.svg.viewBox.baseVal;
    this.home = { x: this.full.x, y: this.full.y, w: this.full.width, h: this.full.height };
    this.view = { ...this.home };
    this.assets = new Map();
    for (const node of this.svg.querySelectorAll(".asset"))
      this.assets.set(node.dataset.id, { node, x: +node.dataset.x, y: +node.dataset.y, title: node.dataset.title });
    this.states = {};
    this.incidents = {};
    this.selected = null;
    this.pen = document.createElement("canvas").getContext("2d");
    this.listen();
    this.watcher = new ResizeObserver(() => this.frame());
    this.watcher.observe(this.$el);
    document.addEventListener("cc-select", this.onSelect);
  },

  unmounted() {
    this.watcher.disconnect();
    document.removeEventListener("cc-select", this.onSelect);
  },

  methods: {
    // -- what Python sends ---------------------------------------------------------------------------
    apply({ states = {}, incidents = {}, gone = [] }) {
      for (const [id, state] of Object.entries(states)) this.setState(id, state);
      Object.assign(this.incidents, incidents);
      for (const id of gone) delete this.incidents[id];
      if (this.selected in incidents || gone.includes(this.selected)) this.drawChain();
      else if (Object.keys(states).length) this.drawNames();
    },

    setState(id, state) {
      const asset = this.assets.get(id);
      if (!asset) return;
      const { node } = asset;
      node.classList.remove("s-critical", "s-warning", "s-info", "alarmed");
      if (state) {
        node.classList.add("alarmed", "s-" + state[0]);
        node.parentNode.append(node); // alarmed ones lie above the quiet
        this.states[id] = state;
      } else delete this.states[id];
      node.setAttribute("tabindex", state ? "0" : "-1");
      const quiet = node.getAttribute("aria-label").split(":")[0];
      node.setAttribute("aria-label", state ? `${quiet}: ${state[0]}, ${state[1]}` : quiet);
    },

    showTip(id, html) {
      if (this.hovered !== id) return;
      const tip = this.$refs.tip, box = this.$el.getBoundingClientRect();
      const at = this.assets.get(id).node.getBoundingClientRect();
      tip.innerHTML = html; // escaped by Python
      tip.classList.add("shown");
      const x = at.left + at.width / 2 - box.left, y = at.top - box.top;
      tip.style.left = Math.max(8, Math.min(x - tip.offsetWidth / 2, box.width - tip.offsetWidth - 8)) + "px";
      tip.style.top = (y > tip.offsetHeight + 14 ? y - tip.offsetHeight - 8 : y + at.height + 8) + "px";
    },

    // -- pointing ------------------------------------------------------------------------------------
    listen() {
      const idOf = (event) => event.target.closest(".asset")?.dataset.id;
      this.onSelect = (event) => this.select(event.detail);
      this.svg.addEventListener("pointerover", (event) => this.hover(idOf(event)));
      this.svg.addEventListener("pointerleave", () => this.hover(undefined));
      this.svg.addEventListener("focusin", (event) => this.hover(idOf(event)));
      this.svg.addEventListener("focusout", () => this.hover(undefined));
      this.svg.addEventListener("click", (event) => {
        const id = idOf(event);
        if (id && !this.dragged) this.$emit("open", id);
      });
      this.svg.addEventListener("keydown", (event) => {
        const id = idOf(event);
        if (id && (event.key === "Enter" || event.key === " ")) {
          event.preventDefault();
          this.$emit("open", id);
        }
      });
      this.svg.addEventListener("wheel", (event) => {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * 0.0015), event);
      }, { passive: false });
      this.svg.addEventListener("pointerdown", (event) => this.grab(event));
    },

    hover(id) {
      if (this.hovered === id) return;
      this.hovered = id;
      this.$refs.tip.classList.remove("shown");
      const lines = id ? this.links.filter(([from, to]) => from === id || to === id) : [];
      this.svg.querySelector(".near").replaceChildren(...lines.map(([from, to]) => this.line([from, to])).filter(Boolean));
      if (id) this.$emit("look", id);
    },

    grab(start) {
      this.dragged = false;
      if (start.pointerType === "touch" || start.button) return; // a finger scrolls the page
      const from = { ...this.view }, unit = this.unit();
      const move = (event) => {
        const dx = event.clientX - start.clientX, dy = event.clientY - start.clientY;
        if (Math.hypot(dx, dy) > 4) this.dragged = true;
        if (this.dragged) this.show({ ...from, x: from.x - dx * unit, y: from.y - dy * unit });
      };
      const drop = () => window.removeEventListener("pointermove", move);
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", drop, { once: true });
    },

    // -- looking -------------------------------------------------------------------------------------
    unit() {
      const box = this.svg.getBoundingClientRect(); // map units in one pixel
      return Math.max(this.view.w / Math.max(box.width, 1), this.view.h / Math.max(box.height, 1));
    },

    zoom(factor, at) {
      const box = this.svg.getBoundingClientRect();
      const size = Math.min(1, Math.max(0.12, this.view.w / this.home.w / factor));
      const w = this.home.w * size, h = this.home.h * size;
      const fx = at ? (at.clientX - box.left) / box.width : 0.5, fy = at ? (at.clientY - box.top) / box.height : 0.5;
      this.show({ x: this.view.x + (this.view.w - w) * fx, y: this.view.y + (this.view.h - h) * fy, w, h });
    },

    whole() {
      this.show({ ...this.home });
    },

    // As near as the selected incident allows; the whole city when it is near already.
    focus() {
      const incident = this.incidents[this.selected];
      const members = incident ? [incident.root, ...incident.members].map((id) => this.assets.get(id)).filter(Boolean) : [];
      if (!members.length || this.view.w < this.home.w * 0.99) return this.whole();
      const xs = members.map(({ x }) => x), ys = members.map(({ y }) => y), margin = 70;
      const left = Math.min(...xs) - margin, top = Math.min(...ys) - margin;
      const w = Math.max(...xs) + margin - left, h = Math.max(...ys) + margin - top;
      const size = Math.min(1, Math.max(w / this.home.w, h / this.home.h, 0.12));
      this.show({
        x: left + (w - this.home.w * size) / 2, y: top + (h - this.home.h * size) / 2,
        w: this.home.w * size, h: this.home.h * size,
      });
    },

    show({ x, y, w, h }) {
      const inside = (value, low, high) => Math.min(Math.max(value, low), high);
      x = inside(x, this.home.x, this.home.x + this.home.w - w);
      y = inside(y, this.home.y, this.home.y + this.home.h - h);
      this.view = { x, y, w, h };
      this.svg.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
      this.frame();
    },

    frame() {
      const unit = this.unit();
      // Symbols keep their size in pixels; on a small map they shrink a little, else they would cover it.
      this.size = Math.min(unit, 0.35 + 0.65 * unit);
      this.svg.style.setProperty("--k", this.size);
      for (const side of ["markerWidth", "markerHeight"]) this.svg.querySelector("marker").setAttribute(side, 8.5 * this.size);
      this.drawPaths();
      this.$refs.scale.firstElementChild.style.width = this.scale[1] / unit + "px";
      this.drawNames();
    },

    // -- the selected incident -----------------------------------------------------------------------
    select(id) {
      if (this.selected === id) return;
      this.selected = id;
      this.drawChain();
    },

    drawChain() {
      const incident = this.incidents[this.selected];
      const members = new Set(incident ? [incident.root, ...incident.members] : []);
      for (const [id, { node }] of this.assets) {
        node.classList.toggle("member", members.has(id));
        node.classList.toggle("root", incident?.root === id);
      }
      this.svg.classList.toggle("selected", Boolean(incident));
      this.drawPaths();
      this.drawNames();
    },

    drawPaths() {
      const paths = (this.incidents[this.selected]?.paths || []).map((path) => this.line(path, true)).filter(Boolean);
      this.svg.querySelector(".chain").replaceChildren(...paths);
    },

    line(ids, arrow) {
      const points = ids.map((id) => this.assets.get(id)).filter(Boolean);
      if (points.length < 2) return null;
      const path = document.createElementNS(SVG, "path");
      const last = points[points.length - 1], before = points[points.length - 2];
      let d = `M${points[0].x} ${points[0].y}`;
      if (!arrow) d += `L${last.x} ${last.y}`;
      else {
        points.slice(1, -1).forEach((point) => (d += `L${point.x} ${point.y}`));
        const dx = last.x - before.x, dy = last.y - before.y, long = Math.hypot(dx, dy) || 1;
        const stop = Math.max(0, long - 13.5 * this.size) / long, bend = Math.min(0.14, 16 / long);
        d += `Q${before.x + dx / 2 - dy * bend} ${before.y + dy / 2 + dx * bend} ${before.x + dx * stop} ${before.y + dy * stop}`;
        path.setAttribute("marker-end", "url(#arrow)");
      }
      path.setAttribute("d", d);
      return path;
    },

    // Names of what matters, in places where they cover neither each other nor a symbol in alarm.
    drawNames() {
      if (!this.svg) return;
      const unit = this.unit(), size = 11.5, taken = [], nodes = [];
      const incident = this.incidents[this.selected];
      const rank = { critical: 2, warning: 1, info: 0 };
      const wanted = new Set(incident ? [incident.root, ...incident.members] : []);
      for (const id in this.states) if (this.states[id][0] === "critical" && !incident) wanted.add(id);
      const symbol = (id) => {
        const { x, y } = this.assets.get(id), r = 10 * unit;
        return [x - r, y - r, x + r, y + r];
      };
      const blocked = Object.keys(this.states).filter((id) => this.assets.has(id)).map((id) => [id, symbol(id)]);
      const order = [...wanted].filter((id) => this.assets.has(id)).sort((a, b) =>
        (b === incident?.root) - (a === incident?.root) || (rank[this.states[b]?.[0]] ?? -1) - (rank[this.states[a]?.[0]] ?? -1));
      this.pen.font = `600 ${size}px ${getComputedStyle(this.$el).fontFamily}`;
      for (const id of order) {
        if (nodes.length >= NAMES_MAX) break;
        const { x, y, title } = this.assets.get(id), root = id === incident?.root;
        const wide = (this.pen.measureText(title).width + 6) * unit, tall = (size + 3) * unit, gap = (root ? 17 : 13) * unit;
        const side = gap * 0.75, up = y - gap * 0.6 - tall, down = y + gap * 0.6;
        const places = [[x + gap, y - tall / 2, "start"], [x - gap - wide, y - tall / 2, "end"],
          [x - wide / 2, y - gap - tall, "middle"], [x - wide / 2, y + gap, "middle"],
          [x + side, up, "start"], [x - side - wide, up, "end"], [x + side, down, "start"], [x - side - wide, down, "end"]]
          .map(([left, top, anchor]) => ({ box: [left, top, left + wide, top + tall], anchor }));
        const free = places.find(({ box }) =>
          box[0] > this.view.x && box[2] < this.view.x + this.view.w &&
          !taken.some((other) => meet(box, other)) && !blocked.some(([other, b]) => other !== id && meet(box, b)));
        const place = free || (root && places[2]); // the root is named in any case
        if (!place) continue;
        taken.push(place.box);
        const text = document.createElementNS(SVG, "text");
        text.textContent = title;
        text.setAttribute("class", root ? "name root" : "name");
        text.setAttribute("font-size", size * unit);
        text.setAttribute("stroke-width", 3.5 * unit);
        text.setAttribute("text-anchor", place.anchor);
        const [left, top, right] = place.box;
        text.setAttribute("x", { start: left, end: right, middle: (left + right) / 2 }[place.anchor]);
        text.setAttribute("y", top + tall * 0.78);
        nodes.push(text);
      }
      this.svg.querySelector(".names").replaceChildren(...nodes);
    },
  },
};

function meet(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}
