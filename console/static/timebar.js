// The time bar of a replay. Where it is comes from Python; while somebody drags, the bar runs ahead of it.
const SEEK_MS = 80; // between two seeks while somebody drags
const MINUTE = 60000;
const STEPS = { ArrowLeft: -MINUTE, ArrowRight: MINUTE, ArrowDown: -MINUTE, ArrowUp: MINUTE, PageDown: -60 * MINUTE, PageUp: 60 * MINUTE };

export default {
  props: { zone: String },
  emits: ["press", "seek", "goto"],
  data: () => ({ first: 0, last: 1, at: 0, playing: false, rate: "", reached: "", note: "", dragging: false }),
  computed: {
    share() { return (Math.min(Math.max(this.at, this.first), this.last) - this.first) / Math.max(this.last - this.first, 1) * 100; },
    clock() { return this.format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }); },
    day() { return this.format({ weekday: "short", day: "numeric", month: "short", year: "numeric" }); },
  },
  template: `
    <section class="timebar" aria-label="Replay">
      <div class="tb-buttons">
        <button type="button" data-tb="previous" aria-label="What came before" title="What came before (←)" @click="$emit('press', 'previous')"><svg viewBox="0 0 16 16"><path d="M12 3 5.5 8 12 13ZM3.4 3h1.6v10H3.4Z"/></svg></button>
        <button type="button" data-tb="play" class="tb-play" :aria-label="playing ? 'Pause' : 'Play'" :title="(playing ? 'Pause' : 'Play') + ' (space)'" @click="$emit('press', 'play')"><svg viewBox="0 0 16 16"><path v-if="playing" d="M4 3h3v10H4ZM9 3h3v10H9Z"/><path v-else d="M4.5 2.5 13 8l-8.5 5.5Z"/></svg></button>
        <button type="button" data-tb="next" aria-label="What comes next" title="What comes next (→)" @click="$emit('press', 'next')"><svg viewBox="0 0 16 16"><path d="M4 3 10.5 8 4 13ZM11 3h1.6v10H11Z"/></svg></button>
        <button type="button" data-tb="slower" aria-label="Slower" title="Slower (-)" @click="$emit('press', 'slower')">&minus;</button>
        <span class="tb-rate num"><b>{{ rate }}</b><small>{{ reached }}</small></span>
        <button type="button" data-tb="faster" aria-label="Faster" title="Faster (+)" @click="$emit('press', 'faster')">+</button>
      </div>
      <div class="tb-track">
        <div class="tb-drawing" ref="drawing" aria-hidden="true"></div>
        <div class="tb-ahead" :style="{ left: share + '%' }"></div>
        <i class="tb-head" :style="{ left: share + '%' }"></i>
        <input type="range" aria-label="Moment of the replay" :aria-valuetext="clock + ', ' + day" :min="first" :max="last" step="1000" :value="at"
          @input="drag(+$event.target.value)" @change="drop(+$event.target.value)" @keydown="key">
      </div>
      <div class="tb-side">
        <form @submit.prevent="$emit('goto', $refs.time.value); $refs.time.value = ''; $refs.time.blur()"><input ref="time" data-tb="goto" type="text" autocomplete="off" size="6" placeholder="12:30" aria-label="Go to a time" title="Go to a time (g)"></form>
        <a href="/fork" data-tb="fork" title="Go on from here with something otherwise (f)">Fork from here</a>
      </div>
      <p class="tb-note" :role="playing ? 'note' : 'status'" :title="note">{{ note }}</p>
    </section>`,

  methods: {
    // -- what Python sends ---------------------------------------------------------------------------
    draw(html) { this.$refs.drawing.innerHTML = html; },
    apply(state) {
      if (this.dragging) delete state.at;
      Object.assign(this, state);
    },

    // -- what people do ------------------------------------------------------------------------------
    drag(at) {
      this.dragging = true;
      this.at = at;
      this.waiting ??= setTimeout(() => { this.waiting = null; if (this.dragging) this.$emit("seek", this.at); }, SEEK_MS);
    },
    drop(at) {
      this.dragging = false;
      this.at = at;
      this.$emit("seek", at);
    },
    key(event) {
      const to = event.key === "Home" ? this.first : event.key === "End" ? this.last : event.key in STEPS ? this.at + STEPS[event.key] : null;
      if (to === null) return;
      event.preventDefault();
      event.stopPropagation();
      this.drop(Math.min(Math.max(to, this.first), this.last));
    },
    format(parts) { return new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, ...parts }).format(this.at); },
  },
};
