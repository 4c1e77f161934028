import { readdirSync, readFileSync } from 'node:fs'
import type { SdlSource } from 'phi-gateway'

const folder = new URL('./schema/', import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, folder), 'utf8')

/** The SDL of the practice. A bundle has the folder `schema/` beside it. */
export const typeDefs: readonly SdlSource[] = readdirSync(folder)
  .filter((file) => file.endsWith('.graphql'))
  .toSorted()
  .map((file) => ({ name: `schema/${file}`, sdl: read(file) }))

/** The reviewed lock. The gateway does not start if the SDL disagrees with it. */
export const lock = read('policy.lock')
