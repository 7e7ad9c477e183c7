CREATE TABLE `messages` (
	`id` integer PRIMARY KEY NOT NULL,
	`room_id` integer NOT NULL,
	`offset` integer NOT NULL,
	`client_id` text NOT NULL,
	`user_id` integer NOT NULL,
	`user_name` text NOT NULL,
	`kind` text NOT NULL,
	`target` integer,
	`text` text NOT NULL,
	`at` integer NOT NULL,
	FOREIGN KEY (`room_id`) REFERENCES `rooms`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `messages_place` ON `messages` (`room_id`,`offset`);--> statement-breakpoint
CREATE UNIQUE INDEX `messages_once` ON `messages` (`room_id`,`user_id`,`client_id`);--> statement-breakpoint
CREATE INDEX `messages_target` ON `messages` (`target`) WHERE "messages"."target" IS NOT NULL;--> statement-breakpoint
CREATE TABLE `reads` (
	`room_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`offset` integer NOT NULL,
	PRIMARY KEY(`room_id`, `user_id`),
	FOREIGN KEY (`room_id`) REFERENCES `rooms`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `room_members` (
	`room_id` integer NOT NULL,
	`user_id` integer NOT NULL,
	`status` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`room_id`, `user_id`),
	FOREIGN KEY (`room_id`) REFERENCES `rooms`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `room_members_removed` ON `room_members` (`at`) WHERE "room_members"."status" = 'removed';--> statement-breakpoint
CREATE TABLE `rooms` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`epoch` text NOT NULL,
	`head` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`owner_id` integer,
	`private` integer DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `rooms_name_unique` ON `rooms` (`name`);--> statement-breakpoint
CREATE TABLE `saved_messages` (
	`message_id` text PRIMARY KEY NOT NULL,
	`transcription_id` integer NOT NULL,
	`saved_at` integer NOT NULL,
	FOREIGN KEY (`transcription_id`) REFERENCES `transcriptions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `saved_messages_age` ON `saved_messages` (`saved_at`);--> statement-breakpoint
CREATE TABLE `secrets` (
	`name` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `segments` (
	`id` integer PRIMARY KEY NOT NULL,
	`transcription_id` integer NOT NULL,
	`segment_id` text NOT NULL,
	`seq` integer NOT NULL,
	`text` text NOT NULL,
	`processed_text` text,
	`word_count` integer DEFAULT 0 NOT NULL,
	`language` text NOT NULL,
	`start_ms` integer NOT NULL,
	`end_ms` integer NOT NULL,
	`confidence` real,
	`words` text NOT NULL,
	FOREIGN KEY (`transcription_id`) REFERENCES `transcriptions`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `segments_place` ON `segments` (`transcription_id`,`segment_id`);--> statement-breakpoint
CREATE TABLE `transcriptions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`transcription` text DEFAULT '' NOT NULL,
	`processed_text` text DEFAULT '' NOT NULL,
	`word_count` integer DEFAULT 0 NOT NULL,
	`language` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`session_id` text,
	`room` text,
	`title` text,
	`duration_ms` integer DEFAULT 0 NOT NULL,
	`status` text DEFAULT 'done' NOT NULL
);
--> statement-breakpoint
CREATE INDEX `transcriptions_user` ON `transcriptions` (`user_id`,`id`);--> statement-breakpoint
CREATE INDEX `transcriptions_live` ON `transcriptions` (`status`,`updated_at`);