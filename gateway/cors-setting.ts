import * as z from 'zod'
import { type CorsPolicy, corsPolicy, CorsSettings } from './http/cors.ts'
import { jsonOf } from './json-setting.ts'

const Environment = z.object({ PHI_STAGE: z.string().optional(), PHI_CORS: jsonOf('PHI_CORS').pipe(CorsSettings) })

/**
 * The rules for pages of other origins, from the environment of a function.
 *
 * @throws ZodError naming PHI_CORS
 */
export function corsFrom(env: Readonly<Record<string, string | undefined>>): CorsPolicy | undefined {
  const { PHI_STAGE: stage, PHI_CORS: settings } = Environment.parse(env)
  return corsPolicy(settings, stage)
}
