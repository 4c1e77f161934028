import { open } from './hand-built.ts'

/** The entry of the naive function's bundle. */
export const handler = await open()
