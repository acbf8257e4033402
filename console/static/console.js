// Theme, keys and selection: what needs no server.
(() => {
  const root = document.documentElement;
  const keep = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private window */ } };
  const kept = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const THEMES = ["system", "dark", "light"];

  function setTheme(theme) {
    root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      button.dataset.shown = theme;
      button.setAttribute("aria-label", `Theme: ${theme}. Change to ${next}`);
      button.title = `Theme: ${theme}`;
    }
  }
  const theme = () => THEMES.includes(kept("crosscurrent-theme")) ? kept("crosscurrent-theme") : "system";
  setTheme(theme()); // before the first paint

  // -- selection of incidents: hover, focus or arrows show one on the map; Enter or a click opens it --------
  const cards = () => [...document.querySelectorAll(".incident-list .incident")];
  let selected = null, chosen = false;

  function select(id, byPerson) {
    if (byPerson) chosen = true;
    selected = id;
    for (const card of cards()) card.classList.toggle("selected", card.dataset.id === id);
    document.dispatchEvent(new CustomEvent("cc-select", { detail: id }));
  }
  // Python calls this after the list changed: until somebody chooses, the newest open incident is shown.
  window.ccListed = (preferred) => {
    const there = cards().some((card) => card.dataset.id === selected);
    select(chosen && there ? selected : preferred, false);
  };

  function step(by) {
    const all = cards();
    if (!all.length) return;
    const at = all.findIndex((card) => card.dataset.id === selected);
    const next = all[Math.min(Math.max(at + (document.activeElement?.closest(".incident") ? by : 0), 0), all.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  // -- the keys of a replay press the buttons of its time bar -------------------------------------------------
  const PLAYED = { " ": "play", ArrowRight: "next", ArrowLeft: "previous", "+": "faster", "=": "faster", "-": "slower", g: "goto", f: "fork" };
  function played(event) {
    const control = event.key in PLAYED && document.querySelector(`[data-tb=${PLAYED[event.key]}]`);
    if (!control || document.querySelector("dialog[open]") || (event.key === " " && event.target.closest("button, a, [role=button]"))) return false;
    event.key === "g" ? control.focus() : control.click();
    return true;
  }

  let resting;
  document.addEventListener("pointerover", (event) => {
    const card = event.target.closest?.(".incident-list .incident");
    clearTimeout(resting);
    if (card && event.pointerType !== "touch") resting = setTimeout(() => select(card.dataset.id, true), 90);
  });
  document.addEventListener("focusin", (event) => {
    const card = event.target.closest(".incident-list .incident");
    if (card) select(card.dataset.id, true);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (played(event)) { event.preventDefault(); return; }
    const help = document.querySelector("dialog.help"), panel = document.querySelector(".panel.open");
    const onMap = event.target.closest(".asset");
    if (event.key === "?") help?.open ? help.close() : help?.showModal();
    else if (event.key === "Escape") {
      if (help?.open) return;
      if (panel) panel.querySelector("[data-close]")?.click();
      else if (location.pathname !== "/") history.length > 1 && document.referrer.startsWith(location.origin) ? history.back() : location.assign("/");
    } else if (event.key === "/") step(0);
    else if (event.key === "ArrowDown" || event.key === "j") { if (!cards().length || onMap) return; step(1); }
    else if (event.key === "ArrowUp" || event.key === "k") { if (!cards().length || onMap) return; step(-1); }
    else if (event.key === "z") document.querySelector("[data-focus]")?.click();
    else if (event.key === "t") document.querySelector("[data-theme-toggle]")?.click();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-toggle]")) {
      const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
      keep("crosscurrent-theme", next);
      setTheme(next);
    } else if (event.target.closest("[data-help]")) document.querySelector("dialog.help")?.showModal();
    else if (event.target.matches("dialog.help")) event.target.close();
  });
  new MutationObserver((_, observer) => {
    if (document.querySelector("[data-theme-toggle]")) { setTheme(theme()); observer.disconnect(); }
  }).observe(root, { childList: true, subtree: true });
})();
