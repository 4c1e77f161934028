import { readFileSync } from 'node:fs'
import { compilePolicy, type SdlSource } from '../../gateway/index.ts'

const beside = (file: string): string => readFileSync(new URL(`./${file}`, import.meta.url), 'utf8')

export const dentalTypeDefs = (): readonly SdlSource[] => [{ name: 'dental.graphql', sdl: beside('dental.graphql') }]

/** The reviewed lock. */
export const dentalLock = (): string => beside('policy.lock')

/** Compiles the lock of the current schema. `lock.ts` writes it to the file. */
export const compiledLock = (): string => compilePolicy(dentalTypeDefs(), { relationships: new Set(['SAME_PRACTICE']) }).lock
