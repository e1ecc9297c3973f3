// @ts-check
/** There is no storage to copy to, or none that opens: what that is, and what to run. */
import { html } from '../core/html.js';
import { ADD_STORAGE, storageState } from '../core/places.js';
import { withCommands } from '../views/parts.js';
import { Modal } from './modal.js';

class AddStorage extends Modal {
  heading() { return this.props.storage ? `“${this.props.storage.name}” is locked` : 'No storage is set up yet'; }
  get wide() { return true; }
  body() {
    const { storage } = this.props;
    return html`${storage ? html`<p>${withCommands(storageState(storage).remedy)}</p>` : html`
      <p>With a bucket at Cloudflare R2, Backblaze B2, Amazon S3 or anything that speaks S3, your music can lie there and play like any other. Run this on the station’s machine; it asks, tries everything, and says what is wrong:</p>
      <p class="command"><code>${ADD_STORAGE}</code></p>
      <p class="quiet">Instead of r2 also b2, s3 or other.</p>`}
      <div class="dialog-actions"><button type="button" class="button" data-do="modal-close" autofocus>Close</button></div>`;
  }
}
customElements.define('sb-add-storage', AddStorage);
