/* Before the first paint, so that a chosen theme never flashes the other one. */
(() => {
  let theme = 'system';
  try { theme = JSON.parse(localStorage.getItem('soundsible.theme') ?? '"system"'); } catch { /* the system's then */ }
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
})();
