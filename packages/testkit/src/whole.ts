/** Whether slow tests do all their work (`npm run test:whole`) rather than the sample of `npm test`. */
export const WHOLE = process.env["LATCHKEY_TESTS"] === "whole";
