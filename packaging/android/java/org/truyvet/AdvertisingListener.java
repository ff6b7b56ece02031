package org.truyvet;

/** Receives the result of starting an advertisement: 0 for success, else AdvertiseCallback's error code. */
public interface AdvertisingListener {
    void onAnswer(int code);
}
