/**
 * The page that lets a device trust the station: shows the steps for this system, looks every two seconds whether the
 * secure address is trusted by now, and then leads on to it, with the login where there is one.
 */
(() => {
  const EVERY_MS = 2000;
  const PATIENCE_MS = 6000;
  const MOVE_PATIENCE_MS = 3000;
  const find = (id) => document.getElementById(id);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const host = location.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const secureOrigin = location.protocol === 'https:' ? location.origin
    : `https://${location.hostname}:${location.port || 80}`;
  /** Where the player was when it led here: /trust#/albums/… */
  const place = location.hash.startsWith('#/') ? location.hash : '';

  /** What this device is, by what its browser says. An iPad says it were a Mac, but can be touched. */
  const systemOf = (agent, touches) => {
    if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touches > 1)) return 'ios';
    if (/Android/.test(agent)) return 'android';
    if (/Macintosh|Mac OS X/.test(agent)) return 'macos';
    if (/Windows/.test(agent)) return 'windows';
    return 'linux';
  };

  const say = (state, title, text) => {
    find('state').dataset.state = state;
    find('state-title').textContent = title;
    find('state-text').textContent = text;
  };

  const head = (title, lead) => {
    find('title').textContent = title;
    find('lead').textContent = lead;
  };

  const nothingToDo = () => {
    find('walk').hidden = true;
    find('stay').textContent = 'Back to the player';
  };

  const offer = (origin, words) => {
    const link = find('go');
    link.href = `${origin}/${place}`;
    link.textContent = words;
    link.hidden = false;
  };

  const choose = (system) => {
    for (const section of all('section[data-system]')) section.hidden = section.dataset.system !== system;
  };

  const chooser = () => {
    const own = systemOf(navigator.userAgent, navigator.maxTouchPoints || 0);
    const systems = find('systems');
    const first = systems.querySelector(`input[value="${own}"]`);
    systems.querySelector('legend').after(first.parentElement);
    first.checked = true;
    systems.addEventListener('change', (event) => choose(event.target.value));
    systems.hidden = false;
    find('walk').classList.add('chosen');
    choose(own);
  };

  const prints = (selector, text) => {
    for (const one of all(selector)) {
      one.replaceChildren(...text.split(':').map((pair) => {
        const part = document.createElement('span');
        part.textContent = pair;
        return part;
      }));
      one.setAttribute('aria-label', text.replaceAll(':', ' '));
    }
  };

  /** The clipboard proper works in secure places only, which this is not yet. */
  const copy = (code, button) => {
    const chosen = getSelection();
    chosen.selectAllChildren(code);
    const words = button.textContent;
    try {
      button.textContent = document.execCommand('copy') ? 'Copied' : 'Selected: copy it now';
      chosen.removeAllRanges();
    } catch {
      button.textContent = 'Selected: copy it now';
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  };

  const commands = () => {
    for (const one of all('[data-origin]')) one.textContent = location.origin;
    for (const block of all('pre')) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Copy';
      button.addEventListener('click', () => copy(block.querySelector('code'), button));
      block.append(button);
    }
  };

  const fill = (trust) => {
    if (trust.name) for (const one of all('[data-name]')) one.textContent = `Soundsible on ${trust.name}`;
    prints('[data-sha256]', trust.authority_sha256);
    prints('[data-sha1]', trust.authority_sha1);
  };

  const covers = (trust) => trust.names.includes(host) || trust.addresses.includes(host)
    || trust.names.includes(`*.${host.split('.').slice(1).join('.')}`);

  /** Addresses that the certificate is good for, should this one be none of them. */
  const elsewhere = (trust, scheme) => {
    const port = location.port ? `:${location.port}` : '';
    const near = ['localhost', '127.0.0.1', '::1'];
    const hosts = [...trust.names.filter((name) => !name.startsWith('*')), ...trust.addresses]
      .filter((one) => !near.includes(one)).slice(0, 6);
    const list = find('elsewhere');
    for (const one of hosts) {
      const link = document.createElement('a');
      link.href = `${scheme}://${one.includes(':') ? `[${one}]` : one}${port}${scheme === 'http' ? `/trust${place}` : `/${place}`}`;
      link.textContent = link.href.split('#')[0];
      const item = document.createElement('li');
      item.append(link);
      list.append(item);
    }
    list.hidden = !hosts.length;
  };

  const within = async (ms, ask) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), ms);
    try {
      return await ask(stop.signal);
    } finally {
      clearTimeout(timer);
    }
  };

  /** Whether this browser takes the station's certificate by now. The answer itself is empty and cannot be read. */
  const trusted = async () => {
    try {
      await within(PATIENCE_MS, (signal) => fetch(`${secureOrigin}/trust/here`, {
        mode: 'no-cors', cache: 'no-store', credentials: 'omit', signal,
      }));
      return true;
    } catch {
      return false;
    }
  };

  /** Take the login along, when there is one; the plain address when there is none or it takes too long. */
  const goOn = async (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    let to = `${secureOrigin}/${place}`;
    try {
      const answer = await within(MOVE_PATIENCE_MS, (signal) => fetch('/api/pairing/move', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}', signal,
      }));
      // The cookie is there at both addresses: the player sees by it that this browser comes from here, and asks nothing.
      const sign = [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, '0')).join('');
      if (answer.ok) {
        document.cookie = `soundsible_move=${sign}; Max-Age=60; Path=/pair; SameSite=Strict`;
        to = `${secureOrigin}/pair#${(await answer.json()).token}~${sign}~${encodeURIComponent(place.slice(1))}`;
      }
    } catch { /* logging in there does it, too */ }
    location.assign(to);
  };

  const done = () => {
    head('This device trusts the station', 'From now on the connection is secure. At the secure address the player can be '
      + 'installed like an app.');
    say('done', 'It worked', secureOrigin.replace('https://', ''));
    offer(secureOrigin, 'Open the secure player');
    find('go').addEventListener('click', goOn);
    find('walk').hidden = true;
    find('stay').hidden = true;
    document.title = 'Trusted · Soundsible';
  };

  const wait = async () => {
    say('waiting', 'Waiting for this device', 'This page notices by itself when it trusts the station.');
    let asking = false;
    let timer = 0;
    const look = async () => {
      if (asking || document.hidden) return;
      asking = true;
      const worked = await trusted();
      asking = false;
      if (!worked || !timer) return;
      clearInterval(timer);
      timer = 0;
      done();
    };
    timer = setInterval(look, EVERY_MS);
    document.addEventListener('visibilitychange', look);
    await look();
  };

  const begin = async () => {
    chooser();
    commands();
    if (place) find('stay').href = `/${place}`;
    let trust;
    try {
      const answer = await fetch('/trust/state', { cache: 'no-store' });
      if (!answer.ok) throw new Error(String(answer.status));
      trust = await answer.json();
    } catch {
      say('asking', 'The station does not answer', 'Look whether it runs, then load this page again.');
      return;
    }
    if (location.protocol === 'https:') {
      offer(location.origin, 'Open the player');
      if (!trust.own_authority) {
        head('Nothing has to be done here', 'This station has a certificate that browsers know already.');
        say('done', 'The connection is secure', location.host);
        nothingToDo();
        return;
      }
      fill(trust);
      head('You are at the secure address', 'If your browser opened this page without a warning, this device trusts the '
        + 'station, and the player can be installed like an app.');
      say('done', 'The connection is encrypted', location.host);
      find('walk').hidden = true;
      find('stay').textContent = 'My browser warned me';
      find('stay').addEventListener('click', (event) => {
        event.preventDefault();
        find('walk').hidden = false;
        find('stay').hidden = true;
      }, { once: true });
      return;
    }
    if (!trust.https) {
      head('HTTPS is off', 'This station answers over plain HTTP only: there is nothing to install.');
      say('asking', 'Nothing has to be done here', 'Who looks after the station can turn it on: the setting is called https.');
      nothingToDo();
      return;
    }
    if (!trust.own_authority) {
      head('Nothing has to be done here', 'This station has a certificate that browsers know already. Open it at its secure '
        + 'address.');
      nothingToDo();
      if (covers(trust)) {
        say('done', 'There is a secure address', secureOrigin.replace('https://', ''));
        offer(secureOrigin, 'Open the secure player');
        find('go').addEventListener('click', goOn);
      } else {
        say('asking', 'Under another address', 'The certificate is not for the address that this page has. It is for:');
        elsewhere(trust, 'https');
      }
      return;
    }
    fill(trust);
    if (!covers(trust)) {
      say('asking', 'Open this page at another address', `The station's certificate cannot speak for ${host}. It can for:`);
      elsewhere(trust, 'http');
      return;
    }
    await wait();
  };

  begin();
})();
