import { readdirSync, readFileSync } from 'node:fs'

/** One file of the shipped clinic's SDL. */
export interface TypeDefs {
  /** The path within the project: `schema/clinical/patient.graphql`. */
  readonly name: string
  readonly sdl: string
}

/** The SDL of the shipped clinic, sorted by file name. A bundle has the folder `clinical/` beside it. */
export function clinicTypeDefs(): readonly TypeDefs[] {
  const folder = new URL('./clinical/', import.meta.url)
  return readdirSync(folder)
    .filter((file) => file.endsWith('.graphql'))
    .toSorted()
    .map((file) => ({ name: `schema/clinical/${file}`, sdl: readFileSync(new URL(file, folder), 'utf8') }))
}

/** The text of the committed lock. It must match the compiled schema, so that the gateway never serves an unreviewed schema. */
export function clinicLock(): string {
  return readFileSync(new URL('./policy.lock', import.meta.url), 'utf8')
}
