/**
 * What an app needs, out of the link that a camera opened: it stands behind the #, which no browser sends, and leaves the
 * address and the history before anything is drawn. This page asks the station for nothing.
 */
(() => {
  const said = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, '', location.pathname);
  const NAMES = ['server', 'username', 'password'];
  const find = (id) => document.getElementById(id);

  const copy = async (input) => {
    if (await navigator.clipboard?.writeText(input.value).then(() => true, () => false)) return true;
    input.focus(); // over plain HTTP only the old way is left
    input.select();
    return document.execCommand('copy');
  };

  const begin = () => {
    const whole = NAMES.every((name) => said.get(name));
    find(whole ? 'there' : 'gone').hidden = false;
    if (!whole) return;
    for (const name of NAMES) find(name).value = said.get(name);
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
