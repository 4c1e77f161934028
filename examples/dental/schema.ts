import { readFileSync } from 'node:fs'
import { compilePolicy, type SdlSource } from '../../gateway/index.ts'

const beside = (file: string): string => readFileSync(new URL(`./${file}`, import.meta.url), 'utf8')

export const dentalTypeDefs = (): readonly SdlSource[] => [{ name: 'dental.graphql', sdl: beside('dental.graphql') }]

/** The lock that people reviewed. */
export const dentalLock = (): string => beside('policy.lock')

/** The lock that the schema has now: `lock.ts` writes it. */
export const compiledLock = (): string => compilePolicy(dentalTypeDefs(), { relationships: new Set(['SAME_PRACTICE']) }).lock
