/** Name of the global function that says whether a mutant is the active one, and notes that its place was reached. */
export const SWITCH = "__mutantIsActive";
