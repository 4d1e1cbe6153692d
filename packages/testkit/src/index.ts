export { runVectorCases, runVectorFile, runVectorFiles } from "./vectors/run.ts";
export type { VectorFailure, VectorFileReport, VectorReport } from "./vectors/run.ts";
export { OFFICIAL_FILES, officialVectorFiles, officialVectorsDirectory } from "./vectors/official.ts";
