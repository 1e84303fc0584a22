// SPDX-License-Identifier: Apache-2.0
// Light, dark or as the system has it: one choice for all pages and windows, remembered. Streamlit follows it without knowing,
// as it follows the system: by what the browser answers when it asks whether dark is wished, and by being told of a change.
(() => {
  const KEY = 'peeps-theme', ORDER = ['system', 'light', 'dark'], root = document.documentElement;
  const ask = matchMedia.bind(window), systemIsDark = ask('(prefers-color-scheme: dark)');
  const kept = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  let theme;
  class Wish extends EventTarget {
    constructor(media) { super(); this.media = media; }
    get matches() { return (theme === 'system' ? systemIsDark.matches : theme === 'dark') === this.media.includes('dark'); }
    addListener(listener) { this.addEventListener('change', listener); }
    removeListener(listener) { this.removeEventListener('change', listener); }
  }
  const wishes = new Map();
  window.matchMedia = media => {
    if (!/^\(prefers-color-scheme: ?(dark|light)\)$/.test(media)) return ask(media);
    if (!wishes.has(media)) wishes.set(media, new Wish(media));
    return wishes.get(media);
  };
  const tell = () => {
    for (const wish of wishes.values()) wish.dispatchEvent(Object.assign(new Event('change'), { matches: wish.matches, media: wish.media }));
  };
  const show = asked => {
    theme = ORDER.includes(asked) ? asked : 'system';
    root.dataset.theme = theme; // the button says it, by page.css
    root.style.colorScheme = theme === 'system' ? '' : theme;
    tell();
  };
  show(kept());
  systemIsDark.addEventListener('change', tell);
  addEventListener('storage', e => { if (e.key === KEY) show(e.newValue); });
  document.addEventListener('click', e => {
    if (!e.target.closest?.('[data-switch-theme]')) return;
    const next = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    try { localStorage.setItem(KEY, next); } catch {} // then it holds as long as the page
    show(next);
  });
})();
