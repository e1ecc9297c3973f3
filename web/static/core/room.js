// @ts-check
/**
 * What elements find around them. Built once in `app.js` and furnished before the first element is drawn;
 * elements are made by the page's parser, so they cannot be handed their collaborators one by one.
 */
/** @type {Record<string, any>} */
export const room = {};

/** @param {Record<string, any>} things */
export const furnish = (things) => { Object.assign(room, things); };
