import * as z from 'zod'

const GatewayAnswer = z.object({
  data: z.unknown().optional(),
  errors: z
    .array(
      z.object({
        message: z.string(),
        extensions: z
          .object({
            code: z.string().optional(),
            coordinate: z.string().optional(),
            reason: z.string().optional(),
            rule: z.string().optional(),
            count: z.number().optional(),
            breakGlass: z.boolean().optional(),
          })
          .default({}),
      }),
    )
    .default([]),
  extensions: z
    .object({
      phi: z
        .object({
          requestId: z.string().optional(),
          resolved: z.number().optional(),
          denied: z.number().optional(),
          masked: z.array(z.object({ coordinate: z.string(), view: z.string(), count: z.number() })).default([]),
        })
        .default({ masked: [] }),
    })
    .default({ phi: { masked: [] } }),
})

/** The parts of a response that say which values were denied or masked. */
export type GatewayAnswer = z.infer<typeof GatewayAnswer>

/** Undefined for a response that the gateway did not write. */
export const readAnswer = (response: unknown): GatewayAnswer | undefined => GatewayAnswer.safeParse(response).data
