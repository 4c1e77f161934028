import { Logger } from '@aws-lambda-powertools/logger'
import type { EventSink, GatewayEvent } from '../vocabulary/events.ts'

const LEVEL: Readonly<Record<GatewayEvent['event'], 'info' | 'warn' | 'error' | 'critical'>> = {
  REQUEST: 'info',
  KEY_UNAVAILABLE: 'error',
  STORE_UNAVAILABLE: 'error',
  AUDIT_REFUSED: 'error',
  AUDIT_LANE_RETIRED: 'error',
  INTERNAL: 'error',
  INTEGRITY_FAILURE: 'critical',
  ACCESS_ITEM_FORGED: 'critical',
}

/** Operators' log. It takes typed events and nothing else, so that there is no way to print a value by mistake (P8). */
export function operatorLog(stage: string): EventSink {
  const logger = new Logger({ serviceName: 'phi-gateway', persistentLogAttributes: { stage } })
  return ({ event, ...fields }) => {
    logger[LEVEL[event]](event, fields)
  }
}
