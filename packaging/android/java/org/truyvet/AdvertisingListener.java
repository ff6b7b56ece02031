package org.truyvet;

/** Hears what became of an advertisement: 0 for a success, else AdvertiseCallback's error code. */
public interface AdvertisingListener {
    void onAnswer(int code);
}
