/**
 * What an app needs, out of the link that a camera opened: it stands behind the #, which no browser sends, and leaves the
 * address and the history before anything is drawn. This tab keeps it until it is closed or one is done, since phones load
 * a page anew when one comes back to it from the app. This page asks the station for nothing.
 */
(() => {
  const NAMES = ['server', 'username', 'password'];
  const KEPT = 'soundsible.connect';
  const recall = () => { try { return sessionStorage.getItem(KEPT) ?? ''; } catch { return ''; } };
  const keep = (text) => { try { if (text) sessionStorage.setItem(KEPT, text); else sessionStorage.removeItem(KEPT); } catch { /* then it is here until the page is left */ } };
  /** What the address says leaves it at once; without that, what this tab was told before. */
  const take = () => {
    const text = location.hash.slice(1);
    if (text) history.replaceState(null, '', location.pathname);
    const found = new URLSearchParams(text || recall());
    if (!NAMES.every((name) => found.get(name))) return null;
    if (text) keep(text);
    return found;
  };
  let said = take();
  const find = (id) => document.getElementById(id);

  const copy = async (input) => {
    if (await navigator.clipboard?.writeText(input.value).then(() => true, () => false)) return true;
    input.focus(); // over plain HTTP only the old way is left
    input.select();
    return document.execCommand('copy');
  };

  const show = () => {
    find('there').hidden = !said;
    find('gone').hidden = Boolean(said);
    for (const name of NAMES) find(name).value = said?.get(name) ?? '';
    find('told').textContent = '';
  };

  const begin = () => {
    show();
    addEventListener('hashchange', () => { said = take(); show(); }); // another link was opened in this tab
    find('forget').addEventListener('click', () => { keep(''); said = null; show(); });
    for (const button of document.querySelectorAll('[data-copy]')) {
      const words = button.firstChild;
      button.addEventListener('click', async () => {
        const input = find(button.dataset.copy);
        const done = await copy(input);
        find('told').textContent = done ? '' : 'Your browser copies nothing from here. It is chosen: copy it with the menu of your browser.';
        if (!done) return;
        find('told').textContent = `${document.querySelector(`label[for="${input.id}"]`).textContent}: copied.`;
        button.classList.add('done');
        words.textContent = 'Copied';
        setTimeout(() => { button.classList.remove('done'); words.textContent = 'Copy'; }, 1600);
      });
    }
  };
  document.addEventListener('DOMContentLoaded', begin);
})();
