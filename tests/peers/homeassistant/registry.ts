/** What Home Assistant made of what it was told: devices and entities as its registries have them. */
import type { HomeAssistant } from './home-assistant.ts';

export interface Device {
  readonly id: string;
  readonly name: string;
  readonly identifiers: readonly (readonly [string, string])[];
  readonly via_device_id: string | null;
  readonly sw_version: string | null;
  readonly area_id: string | null;
}

export interface Entity {
  readonly entity_id: string;
  readonly device_id: string | null;
  readonly unique_id: string;
  readonly platform: string;
  readonly disabled_by: string | null;
  readonly entity_category: string | null;
}

/** Those of MQTT. */
export const devicesOf = async (home: HomeAssistant): Promise<readonly Device[]> =>
  (await home.ask<Device[]>('config/device_registry/list')).filter(({ identifiers }) =>
    identifiers.some(([domain]) => domain === 'mqtt'),
  );

export const entitiesOf = async (home: HomeAssistant): Promise<readonly Entity[]> =>
  (await home.ask<Entity[]>('config/entity_registry/list')).filter(({ platform }) => platform === 'mqtt');
