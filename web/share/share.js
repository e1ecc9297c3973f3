/** What somebody was sent by a link: its titles, and a small player. It asks for this share alone, without a login. */
(() => {
  const base = location.pathname.replace(/\/+$/, '');
  const find = (id) => document.getElementById(id);
  const audio = find('audio');
  /** @type {any[]} what is shared, in order */
  let items = [];
  let at = -1;
  let held = false; // a finger is on the slider
  let failures = 0;

  const clock = (ms) => {
    if (!Number.isFinite(ms)) return '–:––';
    const s = Math.max(0, Math.floor(ms / 1000));
    const two = (n) => String(n).padStart(2, '0');
    return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
  };
  const spoken = (ms) => {
    const s = Math.max(0, Math.floor((Number.isFinite(ms) ? ms : 0) / 1000));
    return `${Math.floor(s / 60)} minutes ${s % 60} seconds`;
  };
  const lengthMs = () => (Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration * 1000 : items[at]?.duration_ms ?? NaN);
  const picture = (n, size) => `${items[n].cover}?size=${size}`;

  const showCover = (n) => {
    const image = find('cover');
    find('letter').textContent = (items[n]?.album || items[n]?.title || '♪').trim().slice(0, 1).toUpperCase();
    const of = items[n].album || items[n].cover; // an album has one picture
    if (image.dataset.of === of) return;
    image.dataset.of = of;
    image.hidden = true;
    image.onload = () => { image.hidden = false; };
    image.src = picture(n, 600);
  };

  const showPosition = () => {
    const whole = lengthMs();
    const now = held ? Number(find('seek').value) * 1000 : audio.currentTime * 1000;
    const seek = find('seek');
    seek.max = String(Math.max(1, Math.round((whole || 1000) / 1000)));
    if (!held) seek.value = String(Math.round(now / 1000));
    seek.style.setProperty('--share', `${whole ? Math.min(100, (now / whole) * 100) : 0}%`);
    seek.setAttribute('aria-valuetext', `${spoken(now)} of ${spoken(whole)}`);
    find('at').textContent = clock(now);
    find('end').textContent = clock(whole);
  };

  const show = () => {
    const playing = !audio.paused;
    const item = items[at];
    find('toggle').toggleAttribute('data-playing', playing);
    find('toggle').setAttribute('aria-label', playing ? 'Pause' : 'Play');
    find('begin').lastChild.textContent = playing ? ' Pause' : at >= 0 && audio.currentTime > 0 ? ' Go on' : ' Play';
    find('begin').querySelector('path').setAttribute('d', playing ? 'M6 4h4v16H6zM14 4h4v16h-4z' : 'M6 4v16l14-8z');
    find('previous').disabled = at <= 0;
    find('next').disabled = at < 0 || at >= items.length - 1;
    for (const [n, button] of [...find('list').querySelectorAll('button')].entries()) {
      if (n === at) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
    if (!item) return;
    find('player').hidden = false;
    find('now-title').textContent = item.title;
    find('now-artist').textContent = item.artist ?? '';
    document.title = playing ? [item.title, item.artist].filter(Boolean).join(' · ') : `${find('title').textContent} · Soundsible`;
    showPosition();
  };

  const play = (n) => {
    find('told').textContent = '';
    if (n !== at) {
      at = n;
      audio.src = items[n].stream;
      showCover(n);
      if ('mediaSession' in navigator) {
        const item = items[n];
        navigator.mediaSession.metadata = new MediaMetadata({ title: item.title, artist: item.artist ?? '', album: item.album ?? '', artwork: [{ src: new URL(picture(n, 512), location.href).href, sizes: '512x512' }] });
      }
    }
    audio.play()?.catch(() => {}); // what is wrong comes as an error of the element
    show();
  };
  const toggle = () => { if (at < 0) play(0); else if (audio.paused) play(at); else audio.pause(); };
  const step = (by) => { if (items[at + by]) play(at + by); };
  const seekTo = (seconds) => { audio.currentTime = Math.max(0, Math.min(seconds, (lengthMs() || 0) / 1000)); showPosition(); };

  const gone = (title, text) => {
    audio.pause();
    audio.removeAttribute('src');
    find('there').hidden = true;
    find('player').hidden = true;
    find('gone').hidden = false;
    if (title) { find('gone-title').textContent = title; find('gone-text').textContent = text; }
  };

  const listen = () => {
    for (const [name, deed] of [['play', show], ['pause', show], ['timeupdate', showPosition], ['durationchange', showPosition]]) audio.addEventListener(name, deed);
    audio.addEventListener('playing', () => { failures = 0; });
    audio.addEventListener('ended', () => { if (items[at + 1]) play(at + 1); else show(); });
    audio.addEventListener('error', async () => {
      if (!audio.getAttribute('src')) return;
      // The link may have been ended meanwhile.
      const answer = await fetch(`${base}/about`, { cache: 'no-store' }).catch(() => null);
      if (answer && (answer.status === 404 || answer.status === 410)) { gone(); return; }
      failures += 1;
      find('told').textContent = answer ? `“${items[at].title}” cannot be played here.` : 'The station does not answer.';
      if (answer && items[at + 1] && failures < 3) play(at + 1);
      else show();
    });
    find('begin').addEventListener('click', toggle);
    find('toggle').addEventListener('click', toggle);
    find('previous').addEventListener('click', () => step(-1));
    find('next').addEventListener('click', () => step(1));
    find('seek').addEventListener('input', () => { held = true; showPosition(); });
    find('seek').addEventListener('change', () => { held = false; seekTo(Number(find('seek').value)); });
    document.addEventListener('keydown', (event) => {
      if (event.key === ' ' && !event.target.closest('button, input')) { event.preventDefault(); toggle(); }
    });
    for (const [name, deed] of [['play', toggle], ['pause', toggle], ['previoustrack', () => step(-1)], ['nexttrack', () => step(1)], ['seekto', (d) => seekTo(d.seekTime ?? 0)]]) {
      try { navigator.mediaSession?.setActionHandler(name, deed); } catch { /* this browser has no such button */ }
    }
  };

  const draw = (about) => {
    items = about.items;
    const albums = [...new Set(items.map((one) => one.album).filter(Boolean))];
    const artists = [...new Set(items.map((one) => one.artist).filter(Boolean))];
    const title = about.title || (items.length === 1 ? items[0].title : albums.length === 1 ? albums[0] : 'Shared music');
    find('title').textContent = title;
    document.title = `${title} · Soundsible`;
    find('from').textContent = artists.length === 1 && artists[0] !== title ? artists[0] : '';
    if (about.description && about.description !== title) {
      find('description').textContent = about.description;
      find('description').hidden = false;
    }
    const minutes = Math.max(1, Math.round(items.reduce((sum, one) => sum + (one.duration_ms || 0), 0) / 60000));
    find('facts').textContent = [`${items.length} ${items.length === 1 ? 'track' : 'tracks'}`, `${minutes} min`, about.shared_by ? `shared by ${about.shared_by}` : '',
      about.expires_at ? `until ${new Date(about.expires_at).toLocaleDateString('en-GB', { day: 'numeric', month: 'long' })}` : ''].filter(Boolean).join(' · ');
    find('list').replaceChildren(...items.map((item, n) => {
      const made = (name, text) => Object.assign(document.createElement('span'), { className: name, textContent: text });
      const button = Object.assign(document.createElement('button'), { type: 'button' });
      const names = made('names', '');
      names.append(made('title', item.title));
      if (item.artist && artists.length > 1) names.append(made('artist', item.artist));
      button.append(made('number', String(n + 1)), names, made('length', clock(item.duration_ms)));
      button.addEventListener('click', () => { if (n === at) toggle(); else play(n); });
      const row = document.createElement('li');
      row.append(button);
      return row;
    }));
    find('list').hidden = items.length === 1;
    find('there').hidden = false;
    showCover(0);
  };

  const begin = async () => {
    listen();
    let answer;
    try {
      answer = await fetch(`${base}/about`, { cache: 'no-store' });
    } catch {
      gone('The station does not answer', 'It may be asleep, or this device is on another network. Try again later.');
      return;
    }
    if (answer.status === 429) { gone('Too many are listening', 'Please try again in a minute.'); return; }
    const about = answer.ok ? await answer.json() : null;
    if (about?.items?.length) draw(about);
    else if (about) gone('There is nothing to hear', 'What was shared is not in the library any more.');
    else gone();
  };
  begin();
})();
