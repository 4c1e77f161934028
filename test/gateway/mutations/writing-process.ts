import { servedClinic } from '../../../functions/served-clinic.ts'
import { composeGateway, openServices } from '../../../gateway/compose.ts'
import type { Asked } from './killed-gateway.ts'

// A gateway in a process of its own. Messages are requests. A test ends it by kill -9.

const env = { ...process.env, PHI_STAGE: 'test' }
const gateway = await composeGateway(openServices(env), env, servedClinic())

process.on('message', ({ place, request }: Asked) => {
  gateway.handle(request).then(
    (response) => process.send?.({ place, response }),
    () => process.exit(1),
  )
})
process.send?.('ready')
