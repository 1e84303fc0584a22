// SPDX-License-Identifier: Apache-2.0
// Keeps the card alive before, while and after Streamlit starts. No framework; the card is one DOM node that is moved.
(() => {
  const base = location.origin + '/';
  // Streamlit reads this: no probing of `/graph/_stcore/health` on a deep link (two 404s), no wait for host-config.
  window.__streamlit = { BACKEND_BASE_URL: base, MAIN_PAGE_BASE_URL: base, ...(PP.hostConfig && { HOST_CONFIG: PP.hostConfig }),
    ...(PP.font && { LIGHT_THEME: { bodyFont: PP.font }, DARK_THEME: { bodyFont: PP.font } }) };
  // Its small scripts come as one file. Whoever imports one is led to the module made of its text, by whichever address.
  const nonce = document.currentScript.nonce, folder = base + 'static/js/';
  const bundled = HTMLScriptElement.supports?.('importmap') ? fetch(PP.bundle).then(r => r.ok ? r.json() : {}).catch(() => ({})) : Promise.resolve({});
  const lead = texts => {
    const imports = { 'pp-static/': folder };
    for (const [name, text] of Object.entries(texts)) {
      imports['pp-static/' + name] = imports[folder + name] = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    }
    document.head.append(Object.assign(document.createElement('script'), { type: 'importmap', nonce, textContent: JSON.stringify({ imports }) }));
  };
  // Streamlit's program: its first script is the entry, the rest are hints. After the first paint, or at once if hidden.
  const start = async () => {
    if (start.done) return;
    start.done = true;
    // Fetched meanwhile; not as modules, before whose first an import map must be there.
    for (const href of PP.modules) document.head.append(Object.assign(document.createElement('link'), { rel: 'preload', as: 'script', crossOrigin: '', href }));
    lead(await bundled);
    for (const href of PP.modules) document.head.append(Object.assign(document.createElement('link'), { rel: 'modulepreload', crossOrigin: '', href }));
    document.head.append(Object.assign(document.createElement('script'), { type: 'module', crossOrigin: '', src: PP.modules[0] }));
  };
  addEventListener('DOMContentLoaded', () => {
    if (document.hidden) return start();
    requestAnimationFrame(() => setTimeout(start)); // a task after the frame: the text is on its way to the screen
    setTimeout(start, 300);
  });
  let card, tag = '', misses = 0;
  const find = () => card ??= document.getElementById('pp-card');
  const place = () => {
    if (!find()) return;
    const slot = document.querySelector('[data-testid=stApp] .pp-slot'), early = document.getElementById('pp-early');
    if (slot && card.parentNode !== slot) {
      slot.replaceChildren(card); // the same node: focus, selection and scroll position stay, nothing is drawn twice
      performance.mark('pp-handover');
    }
    if (early && (slot || document.querySelector('.pp-ready'))) early.remove(); // a page without a slot says when it is complete
  };
  new MutationObserver(place).observe(document, { subtree: true, childList: true });
  const tick = async () => {
    if (!document.hidden && find() && card.isConnected && !document.querySelector('[data-testid=stApp] .pp-slot[data-paused]')) {
      try {
        const asked = new URLSearchParams(location.search), told = new URLSearchParams();
        for (const key of ['finding', 'at']) if (asked.get(key)) told.set(key, asked.get(key));
        const r = await fetch(PP.card + '?' + told, { headers: tag ? { 'If-None-Match': tag } : {} });
        if (r.status === 200) { tag = r.headers.get('etag'); swap(await r.text()); }
        misses = 0;
      } catch { if (++misses === 3) card.firstElementChild?.setAttribute('data-last-known', new Date().toLocaleTimeString()); }
    }
    setTimeout(tick, 1000);
  };
  // Only texts that differ are touched, so a selection survives; another structure is set anew.
  const swap = text => {
    const next = new DOMParser().parseFromString(text, 'text/html').body;
    const walk = (a, b) => {
      if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName || a.childNodes.length !== b.childNodes.length) { a.replaceWith(b.cloneNode(true)); return; }
      if (a.nodeType === 3) { if (a.data !== b.data) a.data = b.data; return; }
      if (a.attributes) for (const { name, value } of b.attributes) if (a.getAttribute(name) !== value) a.setAttribute(name, value);
      [...a.childNodes].forEach((c, i) => walk(c, b.childNodes[i]));
    };
    if (card.childNodes.length === 1 && next.childNodes.length === 1) walk(card.firstChild, next.firstChild);
    else card.innerHTML = text;
  };
  // The address of the page with the moment and the finding in it, so that whoever opens it sees what stands here now.
  const linkToNow = () => {
    const link = new URL(location.href);
    if (!link.searchParams.get('at')) link.searchParams.set('at', `${Date.now()}000000`);
    const about = document.querySelector('[data-testid=stApp] [data-finding]')?.dataset.finding;
    if (about) link.searchParams.set('finding', about);
    return link.href;
  };
  // For a ticket: ages count from a moment that whoever reads it later does not know.
  const withMoment = text => {
    const link = linkToNow(), at = Number(new URL(link).searchParams.get('at')) / 1e6;
    return `${text}\n\nAs it was at ${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC: ${link}`;
  };
  document.addEventListener('click', e => {
    const copy = e.target.closest?.('[data-copy], [data-link]');
    if (!copy) return;
    const word = copy.textContent;
    navigator.clipboard?.writeText('link' in copy.dataset ? linkToNow() : 'ticket' in copy.dataset ? withMoment(copy.dataset.copy) : copy.dataset.copy).then(() => {
      copy.textContent = 'copied';
      setTimeout(() => { copy.textContent = word; }, 1200);
    }, () => {});
  });
  // What else was found: as if it were chosen in the list of suspects, where that is on the page.
  document.addEventListener('click', e => {
    const link = e.target.closest?.('[data-suspect]'), all = document.querySelectorAll('.st-key-suspect input[type=radio]');
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey || !all[link.dataset.suspect]) return;
    e.preventDefault();
    all[link.dataset.suspect].click();
    card.scrollIntoView({ block: 'nearest' });
  });
  // The finding and the moment go along from page to page, where a link loads the page anew.
  for (const way of ['click', 'auxclick']) document.addEventListener(way, e => {
    const link = e.target.closest?.('.pp-nav a, #pp-early nav a, [data-suspect]');
    if (!link) return;
    const to = new URL(link.href), here = new URLSearchParams(location.search);
    for (const key of link.dataset.suspect ? ['at'] : ['finding', 'at']) here.get(key) ? to.searchParams.set(key, here.get(key)) : to.searchParams.delete(key);
    link.href = to.href;
  }, true);
  // A flame graph: the chosen box becomes as wide as the picture, what does not lie above or under it goes.
  const zoom = (flame, box) => {
    const [from, width] = box ? box.dataset.at.split(' ').map(Number) : [0, 1];
    for (const one of flame.children) {
      const [left, wide, depth] = one.dataset.at.split(' ').map(Number), tiny = 1e-9;
      const above = left <= from + tiny && left + wide >= from + width - tiny && (!box || depth <= +box.dataset.at.split(' ')[2]);
      const inside = left >= from - tiny && left + wide <= from + width + tiny && (!box || depth >= +box.dataset.at.split(' ')[2]);
      one.hidden = !above && !inside;
      one.style.left = above && box ? '0' : `${(100 * (left - from)) / width}%`;
      one.style.width = above && box ? '100%' : `${(100 * wide) / width}%`;
    }
  };
  document.addEventListener('click', e => {
    const box = e.target.closest?.('.pp-flame button');
    if (box) zoom(box.parentNode, box.style.width === '100%' ? null : box);
  });
  document.addEventListener('keydown', e => {
    const box = e.target.closest?.('.pp-flame button');
    if (!box) return;
    if (e.key === 'Escape') return zoom(box.parentNode, null);
    const [left, wide, depth] = box.dataset.at.split(' ').map(Number), shown = [...box.parentNode.children].filter(one => !one.hidden);
    const at = one => one.dataset.at.split(' ').map(Number), is = (one, l, d) => at(one)[0] >= l - 1e-9 && at(one)[2] === d;
    const next = { ArrowDown: () => shown.find(one => is(one, left, depth + 1) && at(one)[0] < left + wide), ArrowRight: () => shown.find(one => is(one, left + wide, depth)),
      ArrowUp: () => shown.findLast(one => at(one)[2] === depth - 1 && at(one)[0] <= left + 1e-9), ArrowLeft: () => shown.findLast(one => at(one)[2] === depth && at(one)[0] < left - 1e-9) }[e.key]?.();
    if (next) { e.preventDefault(); box.tabIndex = -1; next.tabIndex = 0; next.focus(); }
  });
  // `?` tells the keys, `/` goes to the filter of the page; neither where somebody writes.
  const KEYS = [['?', 'these keys'], ['1 … 7', 'the pages, from the left'], ['/', 'filter or search'], ['j', 'the next suspect'], ['k', 'the one before'], ['p', 'pause, or go on'],
    ['Tab', 'into a picture, then the arrows along its edges'], ['Enter', 'in a picture: select the node'], ['f', 'in a picture: draw the graph around the node'],
    ['0', 'in a picture: show all of it'], ['c', 'in a picture: show the ring'], ['r', 'in a picture: lay it out anew'], ['Ctrl wheel', 'in a picture: nearer, farther'],
    ['Arrows', 'in a flame graph: from box to box; Enter makes one as wide as the picture'], ['Esc', 'close this; in a flame graph: show all of it']];
  const help = () => {
    let box = document.getElementById('pp-keys');
    if (box?.open) return box.close();
    if (!box) {
      box = Object.assign(document.createElement('dialog'), { id: 'pp-keys', ariaLabel: 'Keys' });
      const list = document.createElement('dl');
      for (const [key, does] of KEYS) {
        list.append(Object.assign(document.createElement('dt'), { textContent: key }), Object.assign(document.createElement('dd'), { textContent: does }));
      }
      box.append(list);
      document.body.append(box);
    }
    box.showModal();
  };
  // The list of suspects goes round.
  const suspect = step => {
    const all = [...document.querySelectorAll('.st-key-suspect input[type=radio]')], at = all.findIndex(one => one.checked);
    const next = all[at < 0 ? 0 : (at + step + all.length) % all.length];
    next?.click();
    next?.closest('label')?.scrollIntoView({ block: 'nearest' });
  };
  document.addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.('input, textarea, select, [contenteditable], [role=combobox], canvas')) return;
    if (e.key === '?') { e.preventDefault(); help(); }
    if (e.key === 'j' || e.key === 'k') suspect(e.key === 'j' ? 1 : -1);
    // In a picture 0 is its own; Streamlit's links keep the page, those of a phone load it anew.
    if (/^[1-9]$/.test(e.key)) [...document.querySelectorAll('[data-testid=stTopNavLink]'), ...document.querySelectorAll('.pp-nav a')][e.key - 1]?.click();
    if (e.key !== '/') return;
    const field = document.querySelector('[data-testid=stMain] input[type=text], [data-testid=stMain] input[role=combobox]');
    if (field) { e.preventDefault(); field.focus(); }
  });
  setTimeout(tick, 1000);
})();
