import { readdirSync, readFileSync } from 'node:fs'

/** One file of the shipped clinic's SDL. */
export interface TypeDefs {
  /** From the project's folder: `schema/clinical/patient.graphql`. */
  readonly name: string
  readonly sdl: string
}

/** The shipped clinic's SDL, in the order of the files' names. A bundle carries the folder `clinical/` beside itself. */
export function clinicTypeDefs(): readonly TypeDefs[] {
  const folder = new URL('./clinical/', import.meta.url)
  return readdirSync(folder)
    .filter((file) => file.endsWith('.graphql'))
    .toSorted()
    .map((file) => ({ name: `schema/clinical/${file}`, sdl: readFileSync(new URL(file, folder), 'utf8') }))
}

/** The committed lock's text. Who compiles the clinic for use compares it: a schema that nobody reviewed is not served. */
export function clinicLock(): string {
  return readFileSync(new URL('./policy.lock', import.meta.url), 'utf8')
}
